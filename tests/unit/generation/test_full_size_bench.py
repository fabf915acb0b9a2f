"""The bench of full-size drawing, on a pipeline that fits a test: it has to run where a GPU is."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

BENCH = Path(__file__).parents[3] / "bench" / "generation.py"


def test_ways_are_held_against_the_snippets_picture_and_the_floor(
    tiny_sdxl_dir: Path, tmp_path: Path
) -> None:
    out = tmp_path / "found.json"
    asked = {
        "--work": tmp_path,
        "--model": tiny_sdxl_dir,
        "--size": 64,
        "--steps": 2,
        "--ways": "dtype=float32,guided_share=0.5&dtype=float32",
        "--clock": "processor",
        "--peak-side": 64,
        "--out": out,
    }
    words = [str(word) for pair in asked.items() for word in pair]
    subprocess.run(
        [sys.executable, str(BENCH), *words, "--snippet"],
        check=True,
        env=os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)},
        capture_output=True,
    )
    snippet, same, half = json.loads(out.read_text())["rows"]
    assert snippet["way"] == "published snippet"
    assert same["difference"] < 1  # the same noise, the same number format
    assert half["tflop"] <= same["tflop"]
    for row in (same, half):
        assert row["times_the_floor"] > 0
        assert row["snippet_over_this"] > 0
        assert row["peak_memory_gb"] > 0
