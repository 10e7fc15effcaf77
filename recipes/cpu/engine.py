"""verl's FSDP2 engine on the CPU. Loaded by `actor_rollout_ref.model.external_lib`, after verl's engines exist."""

from typing import Any

from verl.workers.engine.base import EngineRegistry
from verl.workers.engine.fsdp import FSDPEngineWithLMHead


@EngineRegistry.register(model_type="language_model", backend=["fsdp2"], device=["cpu"])
class CPUEngineWithLMHead(FSDPEngineWithLMHead):  # type: ignore[misc]
    """verl registers this engine for cuda and npu only; the class itself needs neither."""

    def _build_fsdp_module(self, module: Any) -> Any:
        # A forward-only engine (the reference policy) gets CPUOffloadPolicy(pin_memory=True). Pinning needs an
        # accelerator, and the parameters are on the CPU already: build it as a training engine is built.
        forward_only = self.engine_config.forward_only
        object.__setattr__(self.engine_config, "forward_only", False)
        try:
            return super()._build_fsdp_module(module)
        finally:
            object.__setattr__(self.engine_config, "forward_only", forward_only)
