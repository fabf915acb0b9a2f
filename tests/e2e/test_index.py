"""``coin-index`` as a user runs it: processes of its own, killed at the worst moment."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from tiny_archives import write_pictures

PATIENCE_S = 900
"""Only ends what hangs: a busy machine may take its time."""
TABLES = ("blood", "cervix", "cervix_fields", "sites")


def _command(*words: object) -> list[str]:
    program = "from indexer.cli import main; main()"
    return [sys.executable, "-c", program, *(str(word) for word in words)]


def _run(*words: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        _command(*words), capture_output=True, text=True, check=False, timeout=PATIENCE_S
    )


def _answer(*words: object) -> dict[str, Any]:
    done = _run(*words, "--json")
    assert done.returncode == 0, done.stderr + done.stdout
    return dict(json.loads(done.stdout))


@pytest.fixture
def encoder(tiny_open_clip_dir: Path) -> str:
    return f"open_clip:{tiny_open_clip_dir}?text_tower=minilm"


def _kill_after_batches(batches: int, root: Path, *words: object) -> int:
    """Start a build, kill it as hard as can be once it has kept some batches; how many it kept."""
    builder = subprocess.Popen(
        _command("build", root, *words), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    deadline = time.monotonic() + PATIENCE_S
    try:
        while len(list(root.glob("work/*/*.safetensors"))) < batches:
            assert builder.poll() is None, "the build ended before it could be killed"
            assert time.monotonic() < deadline, "the build keeps no batches"
            time.sleep(0.002)
    finally:
        os.kill(builder.pid, signal.SIGKILL)
        builder.wait()
    assert builder.returncode == -signal.SIGKILL
    return len(list(root.glob("work/*/*.safetensors")))


def test_a_build_that_is_killed_resumes_where_it_stopped(tmp_path: Path, encoder: str) -> None:
    pictures = write_pictures(tmp_path / "pictures", 300)
    root = tmp_path / "archive"
    words = (pictures, "--encoder", encoder, "--batch-size", 2)
    kept = _kill_after_batches(3, root, *words)
    assert kept < 150
    refused = _run("info", root)
    assert refused.returncode == 2
    assert "never finished" in refused.stderr

    resumed = _answer("build", root, *words)
    assert resumed["counts"]["images"] == 300
    assert resumed["reused"] >= 2 * kept
    assert resumed["embedded"] == 300 - resumed["reused"]
    assert _answer("verify", root) == {
        "archive": str(root),
        "ok": True,
        "errors": 0,
        "warnings": 0,
        "findings": [],
    }


def test_a_rebuild_that_is_killed_leaves_the_published_version_whole(
    tmp_path: Path, encoder: str
) -> None:
    root = tmp_path / "archive"
    few = write_pictures(tmp_path / "few", 4)
    _answer("build", root, few, "--encoder", encoder)
    many = write_pictures(tmp_path / "many", 300, first_seed=1000)
    _kill_after_batches(1, root, many, "--batch-size", 2)
    assert _answer("info", root)["manifest"]["counts"]["images"] == 4
    assert _answer("verify", root)["ok"]


@pytest.mark.data
def test_the_four_manifests_are_indexed_as_they_stand_and_never_embedded_twice(
    tmp_path: Path, data_root: Path, encoder: str
) -> None:
    root = tmp_path / "archive"
    tables = [data_root / name / "cases.csv" for name in TABLES]
    words = (*tables, "--where", "split=val")
    first = _answer("build", root, *words, "--encoder", encoder)
    counts = first["counts"]
    assert counts["images"] > 1000
    assert counts["rows"] == counts["images"] + counts["skipped"] + counts["duplicates"]
    assert counts["skipped"] == 0
    second = _answer("build", root, *words)
    assert (second["embedded"], second["reused"]) == (0, counts["images"])
    fields = _answer("info", root)["fields"]
    assert sum(fields["site"].values()) == counts["images"]
    assert set(fields["origin"]) == {"real"}
    assert "eosinophil" in fields["diagnosis"]
