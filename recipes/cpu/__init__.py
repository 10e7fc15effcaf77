"""verl, Ray and vLLM on a machine without an accelerator: plugins loaded through their own entry points.

Nothing here acts unless `VERL_PLATFORM=cpu` (verl) or vLLM's own platform is the CPU one.
"""
