"""`python -m medrft.recipes.verl_check FILE …`: verl's own validation of complete configurations, as `main_ppo` does it."""

from __future__ import annotations

import sys

from .cpu.torchvision import declare_missing_operators


def main(files: list[str]) -> None:
    declare_missing_operators()
    from omegaconf import OmegaConf
    from verl.trainer.ppo.utils import need_critic, need_reference_policy
    from verl.utils.config import omega_conf_to_dataclass, validate_config

    for file in files:
        config = OmegaConf.load(file)
        OmegaConf.resolve(config)
        validate_config(config, use_reference_policy=need_reference_policy(config), use_critic=need_critic(config))
        # main_ppo meets these only once its workers are up; meet them now.
        for key in ("actor_rollout_ref.rollout", "actor_rollout_ref.actor", "algorithm"):
            omega_conf_to_dataclass(OmegaConf.select(config, key))


if __name__ == "__main__":
    try:
        main(sys.argv[1:])
    except Exception as error:
        print(f"{type(error).__name__}: {str(error).strip()}".replace("\n", " "), file=sys.stderr)
        raise SystemExit(1) from None
