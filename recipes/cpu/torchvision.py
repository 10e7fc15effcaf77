"""A CUDA build of torchvision beside a CPU build of torch: let it be imported.

The registry's torchvision wheel is built for CUDA. Next to a CPU torch its extension cannot load, so the operators it
registers do not exist and `import torchvision` raises "operator torchvision::nms does not exist" (pytorch/vision#8206).
Where the extension cannot load, declare the two schemas that torchvision's meta registrations ask for; they get no
kernel and nothing here calls them.
"""

import glob
import importlib.util
import os


def declare_missing_operators() -> None:
    """Make `import torchvision` possible. Does nothing where torchvision's own extension loads."""
    import torch

    if torch.version.cuda or torch.version.hip or hasattr(torch.ops.torchvision, "nms"):
        return
    spec = importlib.util.find_spec("torchvision")  # finds the package without importing it
    if spec is None or spec.origin is None:
        return
    for extension in glob.glob(os.path.join(os.path.dirname(spec.origin), "_C*.so")):
        try:
            torch.ops.load_library(extension)
            return
        except OSError:
            break
    for operator in ("nms", "qnms"):
        torch.library.define(f"torchvision::{operator}", "(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")


def vllm_platform_plugin() -> None:
    """Entry point `vllm.platform_plugins`. Offers no platform; it is the only hook that runs in every vLLM process
    before vLLM imports transformers, and with it torchvision."""
    declare_missing_operators()
