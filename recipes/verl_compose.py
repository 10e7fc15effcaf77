"""`python -m medrft.recipes.verl_compose JOB.json`: verl's complete configuration of each RFT stage, checked by verl.

A process of its own: importing verl takes seconds and fixes the platform for good.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict

from .cpu.torchvision import declare_missing_operators

# Faults that `main_ppo` meets only once its workers are up are met here.
TYPED = ("actor_rollout_ref.rollout", "actor_rollout_ref.actor", "algorithm")


class StageKeys(BaseModel):
    """One RFT stage: what the recipe sets, what its `verl:` adds, and the file to write."""

    model_config = ConfigDict(extra="forbid")

    stage: str
    keys: dict[str, Any]
    extra: dict[str, Any]
    out: Path


class ComposeJob(BaseModel):
    """What the launcher hands to the worker."""

    model_config = ConfigDict(extra="forbid")

    profile: str
    stages: list[StageKeys]


def main(job: ComposeJob) -> None:
    """Write each stage's configuration as one YAML, which `main_ppo` reads without any default list.

    Raises:
        SystemExit: with one sentence, where verl or the recipe's `verl:` is at odds with verl's configuration.
    """
    declare_missing_operators()
    _check_plugin()
    import hydra
    from omegaconf import OmegaConf, open_dict
    from omegaconf.errors import OmegaConfBaseException

    for stage in job.stages:
        with hydra.initialize_config_module("medrft.recipes.config", version_base=None):
            config = hydra.compose(config_name=job.profile)
        with open_dict(config):
            for key, value in stage.keys.items():
                OmegaConf.update(config, key, value, force_add=True)
        OmegaConf.set_struct(config, True)
        for key, value in stage.extra.items():
            plain = key.removeprefix("+")
            try:
                OmegaConf.update(config, plain, value, force_add=key.startswith("+"))
            except OmegaConfBaseException:
                raise SystemExit(
                    f"stages.{stage.stage}.verl names '{plain}', which verl's configuration does not have. "
                    f"Write '+{plain}' to add a key all the same"
                ) from None
        try:
            _validate(OmegaConf.create(OmegaConf.to_container(config, resolve=False)))
        except Exception as error:  # verl says no with assertions, ValueErrors and hydra's own
            reason = " ".join(f"{type(error).__name__}: {error}".split())
            raise SystemExit(f"verl refuses the configuration of stage '{stage.stage}': {reason}") from None
        stage.out.write_text(OmegaConf.to_yaml(config))


def _check_plugin() -> None:
    """verl hides a plugin that fails to load at DEBUG level, and then dies of whatever the plugin was to mend."""
    if os.environ.get("VERL_PLATFORM") != "cpu":
        return
    from verl.plugin.platform import PlatformRegistry

    if PlatformRegistry.get("cpu") is None:
        raise SystemExit("verl did not load the plugin 'medrft', so it has no platform for a CPU. Run: medrft doctor")


def _validate(config: Any) -> None:
    from omegaconf import OmegaConf
    from verl.trainer.ppo.utils import need_critic, need_reference_policy
    from verl.utils.config import omega_conf_to_dataclass, validate_config

    OmegaConf.resolve(config)
    validate_config(config, use_reference_policy=need_reference_policy(config), use_critic=need_critic(config))
    for key in TYPED:
        omega_conf_to_dataclass(OmegaConf.select(config, key))


if __name__ == "__main__":
    main(ComposeJob.model_validate_json(Path(sys.argv[1]).read_text()))
