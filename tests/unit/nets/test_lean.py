from __future__ import annotations

import subprocess
import sys

import pytest

from coin_retrieval.nets.lean import lean_imports


def run(program: str) -> str:
    """What a fresh interpreter prints: whatever this process has loaded is loaded for good."""
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def test_vendors_come_without_the_compiler_and_leave_no_stand_in_behind() -> None:
    assert (
        run("""
import sys
from coin_retrieval.nets.lean import lean_imports
with lean_imports():
    import open_clip, timm, torchvision
    from diffusers import StableDiffusionPipeline
    from transformers import BertModel
    class_of = type(sys.modules["torch._dynamo"]).__name__
print(class_of, [n for n in sys.modules if n.startswith(("torch._dynamo.utils", "scipy.stats"))])
print("torch._dynamo" in sys.modules)
""")
        == "_StandIn []\nFalse"
    )


def test_the_compiler_works_after_a_lean_import() -> None:
    assert (
        run("""
from coin_retrieval.nets.lean import lean_imports
with lean_imports():
    import timm, torch
double = torch.compile(lambda x: 2 * x, backend="eager")
print(double(torch.ones(2)).tolist(), torch._dynamo.utils.is_compile_supported("cpu"))
""")
        == "[2.0, 2.0] True"
    )


def test_a_function_that_was_imported_from_a_stand_in_computes() -> None:
    pytest.importorskip("scipy")
    assert (
        run("""
from coin_retrieval.nets.lean import lean_imports
with lean_imports():
    from scipy.optimize import linear_sum_assignment
    import scipy.stats
print(linear_sum_assignment([[1, 0], [0, 1]])[1].tolist(), scipy.stats.norm.cdf(0.0))
""")
        == "[1, 0] 0.5"
    )


def test_what_a_stand_in_does_not_know_is_the_real_modules() -> None:
    assert (
        run("""
import sys
from coin_retrieval.nets.lean import lean_imports
with lean_imports():
    from torch._dynamo import OptimizedModule
print(OptimizedModule.__module__, type(sys.modules["torch._dynamo"]).__name__)
""")
        == "torch._dynamo.eval_frame module"
    )


def test_what_is_loaded_already_stays() -> None:
    import torch._dynamo as loaded

    with lean_imports():
        import torch._dynamo as inside
    assert inside is loaded
