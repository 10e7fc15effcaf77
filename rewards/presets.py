"""Composed rewards by name, as plain data: `reward: v_rft` in a recipe.

Source: VRFT-Aug (arXiv 2602.10619), via its co-author's public repository.
"""

from __future__ import annotations

from typing import Any

PRESETS: dict[str, dict[str, Any]] = {
    # The V-RFT baseline: 0.9 accuracy + 0.1 format.
    "v_rft": {"terms": [{"reward": "accuracy@1", "weight": 0.9}, {"reward": "format@1", "weight": 0.1}]},
    # Multi-grade fuzzy reward for ordinal labels: 0.9 r + 0.1 format.
    "mfrs": {"terms": [{"reward": "ordinal@1", "weight": 0.9}, {"reward": "format@1", "weight": 0.1}]},
    # The perception stage; the paper's weights for it are not known, so those of the baseline.
    "grounding": {"terms": [{"reward": "box_iou@1", "weight": 0.9}, {"reward": "format@1", "weight": 0.1}]},
}
