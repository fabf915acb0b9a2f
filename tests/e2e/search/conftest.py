"""Small archives by ``coin-index build``, once; and a cache of each test's own."""

from __future__ import annotations

import csv
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from coin_retrieval.images.png import encode_png

CASES = (
    ("A", "cervix", "LSIL", "koilocytes"),
    ("A", "cervix", "HSIL", "moderate dysplasia"),
    ("B", "cervix", "NILM", "superficial cell"),
    ("C", "urine", "AUC", "atypical urothelial cells"),
    ("D", "urine", "HGUC", "high-grade urothelial carcinoma"),
)


def draw_cell(number: int) -> np.ndarray:
    """A cell on a ground: its own colours, its own nucleus."""
    random = np.random.default_rng(number)
    rows, columns = np.mgrid[:64, :64]
    distance = np.hypot(rows - 32, columns - 32)
    picture = np.broadcast_to(random.integers(200, 256, 3), (64, 64, 3)).copy()
    picture[distance < 26] = random.integers(100, 200, 3)
    picture[distance < 6 + 3 * number] = random.integers(0, 100, 3)
    return picture.astype(np.uint8)


@pytest.fixture(scope="session")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("pictures")
    with (folder / "cases.csv").open("w", newline="") as file:
        table = csv.writer(file)
        table.writerow(["image_path", "case_id", "site", "diagnosis", "finding"])
        for number, row in enumerate(CASES):
            (folder / f"{number}.png").write_bytes(encode_png(draw_cell(number)))
            table.writerow([f"{number}.png", *row])
    return folder


@pytest.fixture(scope="session")
def archive(
    pictures: Path, tiny_open_clip_dir: Path, tmp_path_factory: pytest.TempPathFactory
) -> Path:
    path = tmp_path_factory.mktemp("archives") / "small"
    return build(path, pictures / "cases.csv", tiny_open_clip_dir)


@pytest.fixture(scope="session")
def demonstration(
    pictures: Path, tiny_open_clip_dir: Path, tmp_path_factory: pytest.TempPathFactory
) -> Path:
    """The same pictures, said to be drawn by a model."""
    lines = (pictures / "cases.csv").read_text().splitlines()
    drawn = [f"{lines[0]},origin", *(f"{line},generated" for line in lines[1:])]
    (pictures / "drawn.csv").write_text("\n".join(drawn))
    path = tmp_path_factory.mktemp("archives") / "demonstration"
    return build(path, pictures / "drawn.csv", tiny_open_clip_dir)


def build(path: Path, table: Path, encoder_dir: Path) -> Path:
    encoder = f"open_clip:{encoder_dir}?text_tower=minilm&device=cpu&dtype=float32"
    built = subprocess.run(
        [
            sys.executable,
            "-c",
            "from indexer.cli import main; main()",
            "build",
            str(path),
            str(table),
            "--encoder",
            encoder,
        ],
        capture_output=True,
        text=True,
        check=False,
    )
    assert built.returncode == 0, built.stderr
    return path


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, tiny_pipeline_dir: Path) -> Path:
    """An empty cache of this test's own; the generator is the tiny one."""
    monkeypatch.setenv("COIN_CACHE_DIR", str(tmp_path / "cache"))
    monkeypatch.setenv(
        "COIN_GENERATOR", f"{tiny_pipeline_dir}?text_encoder=minilm&device=cpu&dtype=float32"
    )
    monkeypatch.delenv("COIN_ENCODER", raising=False)
    return tmp_path / "cache" / "prototypes"
