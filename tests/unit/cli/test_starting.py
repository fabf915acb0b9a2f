"""What a search does without: asked of fresh processes, by modules' names and not by the clock."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from tiny_archives import write_picture, write_pictures

from indexer import build

ASK = """
import sys
from coin_retrieval.cli.main import main
try:
    main()
except SystemExit as end:
    assert not end.code, end.code
print("LOADED", *sorted(set(sys.modules)), file=sys.stderr)
"""
NEVER = {
    "torch._dynamo.symbolic_convert",
    "torch.distributed.tensor",
    "sympy",
    "scipy.linalg",
    "sklearn",
    "pandas",
    "matplotlib",
}
DRAWING = {"diffusers", "peft", "coin_retrieval.generation.pipeline"}


@pytest.fixture(scope="module")
def archive(tmp_path_factory: pytest.TempPathFactory, tiny_open_clip_dir: Path) -> Path:
    folder = tmp_path_factory.mktemp("starting")
    build(
        folder / "archive",
        [write_pictures(folder / "pictures", 4)],
        encoder=f"open_clip:{tiny_open_clip_dir}?text_tower=minilm&device=cpu",
    )
    return folder / "archive"


def loaded_by(archive: Path, generator: Path, cache: Path, *options: str) -> set[str]:
    named = f"{generator}?text_encoder=minilm&device=cpu"
    done = subprocess.run(
        [sys.executable, "-c", ASK, "search", str(archive), "--generator", named, *options],
        capture_output=True,
        text=True,
        check=False,
        env=os.environ | {"COIN_CACHE_DIR": str(cache)},
    )
    assert done.returncode == 0, done.stderr[-2000:]
    return set(done.stderr.rsplit("LOADED ", 1)[1].split())


def test_a_search_by_text_loads_nothing_that_draws(
    archive: Path, tiny_pipeline_dir: Path, tmp_path: Path
) -> None:
    loaded = loaded_by(archive, tiny_pipeline_dir, tmp_path, "--report", "halo", "--mode", "text")
    assert "open_clip" in loaded
    assert not loaded & (NEVER | DRAWING)


def test_a_search_by_a_picture_loads_nothing_that_draws(
    archive: Path, tiny_pipeline_dir: Path, tmp_path: Path
) -> None:
    picture = write_picture(tmp_path / "one.png", seed=1)
    loaded = loaded_by(archive, tiny_pipeline_dir, tmp_path, "--image", str(picture))
    assert "open_clip" in loaded
    assert not loaded & (NEVER | DRAWING)


def test_a_fused_search_loads_no_compiler(
    archive: Path, tiny_pipeline_dir: Path, tmp_path: Path
) -> None:
    loaded = loaded_by(archive, tiny_pipeline_dir, tmp_path, "--report", "halo", "--mode", "fused")
    assert loaded >= DRAWING | {"open_clip"}
    assert not loaded & NEVER
