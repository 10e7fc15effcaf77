"""vLLM's CPU backend, made fit for weight sync. Entry point `vllm.general_plugins`."""


def disable_onednn() -> None:
    """Keep `layer.weight` alive on the CPU backend.

    vLLM's CPU linear layers repack their weight into an opaque oneDNN handle and leave an empty `layer.weight`, so
    loading new weights in place, what verl does after every step, cannot work. Without oneDNN they call
    `torch.nn.functional.linear` on the live parameter.
    """
    from vllm.platforms import current_platform

    if current_platform.is_cpu():
        import vllm._custom_ops as ops

        ops._supports_onednn = False
