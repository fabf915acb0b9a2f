from __future__ import annotations

import os
import subprocess
import sys

import pytest

PROGRAM = """
import os, sys
from coin_retrieval.cli.main import main
sys.argv = ["coin", "--version"]
try: main()
except SystemExit: print(os.environ["OMP_WAIT_POLICY"], os.environ["THP_MEM_ALLOC_ENABLE"])
"""


@pytest.mark.parametrize(
    ("chosen", "used"),
    [({}, "PASSIVE 1"), ({"OMP_WAIT_POLICY": "ACTIVE", "THP_MEM_ALLOC_ENABLE": "0"}, "ACTIVE 0")],
)
def test_threads_sleep_and_pages_are_large_unless_the_environment_says_otherwise(
    chosen: dict[str, str], used: str
) -> None:
    decided = ("OMP_WAIT_POLICY", "THP_MEM_ALLOC_ENABLE")
    environment = {k: v for k, v in os.environ.items() if k not in decided} | chosen
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM],
        capture_output=True,
        text=True,
        check=True,
        env=environment,
    )
    assert done.stdout.splitlines()[-1] == used
