"""Entry point `verl.plugins`: verl loads this module in every process that imports it.

Registers a `cpu` platform, which only `VERL_PLATFORM=cpu` selects, and mends the three places of verl 0.9.1 that take
an accelerator for granted. verl hides a failure here at DEBUG level; `medrft doctor` looks for it.
"""

import os

if os.environ.get("VERL_PLATFORM", "").strip().lower() == "cpu":
    from . import platform, shims

    shims.apply()
    platform.register()
