from __future__ import annotations

import subprocess
import sys

import medrft.rewards
import pytest

HEAVY = ("torch", "transformers", "verl", "vllm", "ray", "scipy", "PIL", "pyarrow")


@pytest.mark.parametrize("module", ["medrft.rewards", "medrft.rewards.verl"])
def test_writing_a_reward_imports_nothing_heavy(module: str) -> None:
    code = f"import sys, {module}; print(*[name for name in {HEAVY} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == []


def test_the_face_has_what_it_names() -> None:
    assert sorted(medrft.rewards.__all__) == sorted(set(medrft.rewards.__all__))
    missing = [name for name in medrft.rewards.__all__ if not hasattr(medrft.rewards, name)]
    assert missing == []
