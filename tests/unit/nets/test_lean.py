from __future__ import annotations

import os
import subprocess
import sys

LATER = """
from coin_retrieval.nets.lean import import_lean
import_lean()
import sys, torch
from diffusers.models.attention import Attention
assert "torch._dynamo.symbolic_convert" not in sys.modules
double = torch.compile(lambda x: (x * 2).sin(), backend="eager")
assert torch.equal(double(torch.ones(3)), (torch.ones(3) * 2).sin())
import torch._dynamo.config
from torch._dynamo.utils import counters, is_compile_supported
assert torch._dynamo.config is sys.modules["torch._dynamo.config"]
assert counters["frames"]["ok"] == 1
assert is_compile_supported("cpu") in (True, False)
assert id(Attention) in torch._dynamo.trace_rules._allowed_callable_ids.function_ids
import scipy.stats
from scipy.optimize import linear_sum_assignment
assert scipy.stats.norm.cdf(0) == 0.5
assert linear_sum_assignment([[1, 0], [0, 1]])[1].tolist() == [1, 0]
"""
SAME_NAMES = """
import sys
{first}
import transformers
from diffusers.utils import import_utils
structure = transformers._class_to_module
print(len(structure), hash(tuple(sorted(structure.items()))), import_utils._package_map["PIL"])
"""
LEAN = "from coin_retrieval.nets.lean import import_lean; import_lean()"


def run(script: str) -> str:
    done = subprocess.run(
        [sys.executable, "-c", script],
        capture_output=True,
        text=True,
        check=False,
        env=os.environ | {"PYTHONHASHSEED": "0"},
    )
    assert done.returncode == 0, done.stderr[-2000:]
    return done.stdout


def test_what_was_put_off_is_whole_when_somebody_asks_for_it() -> None:
    run(LATER)


def test_the_vendors_know_the_same_names() -> None:
    assert run(SAME_NAMES.format(first=LEAN)) == run(SAME_NAMES.format(first=""))
