"""Small sets of coloured pictures under manifests, and a tiny encoder by its short name."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from tiny_archives import write_table

COLOURS = {"eosinophil": (225, 96, 80), "lymphocyte": (32, 32, 160)}


def write_cells(
    folder: Path, *, per_finding: int, seed: int, split: str = "train", origin: str = "real"
) -> Path:
    """A manifest of noisy discs, each finding of one colour, each picture a case of its own."""
    random = np.random.default_rng(seed)
    folder.mkdir(parents=True)
    rows = []
    for finding, colour in COLOURS.items():
        for index in range(per_finding):
            away = np.hypot(*(np.mgrid[:32, :32] - 16.0)) + random.normal(0, 1, (32, 32))
            ground = random.integers(200, 255, 3)
            disc = np.array(colour) + random.integers(-20, 20, 3)
            inside = away[..., None] < random.integers(7, 13)
            picture = np.where(inside, disc, ground).clip(0, 255).astype(np.uint8)
            name = f"{finding}-{index:03d}.png"
            Image.fromarray(picture).save(folder / name)
            rows.append(
                {
                    "image_path": name,
                    "case_id": f"{folder.name}-{finding}-{index}",
                    "finding": finding,
                    "split": split,
                    "origin": origin,
                }
            )
    return write_table(folder / "cases.csv", rows)


@pytest.fixture(scope="session")
def training(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_cells(tmp_path_factory.mktemp("a") / "training", per_finding=12, seed=1)


@pytest.fixture(scope="session")
def held_out(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_cells(
        tmp_path_factory.mktemp("b") / "held_out", per_finding=8, seed=2, split="val"
    )


@pytest.fixture(scope="session")
def drawn(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_cells(
        tmp_path_factory.mktemp("c") / "drawn", per_finding=6, seed=3, origin="generated"
    )


@pytest.fixture(scope="session")
def space(tiny_timm_dir: Path) -> str:
    """The short name of a random timm model."""
    return f"timm:{tiny_timm_dir}?device=cpu&dtype=float32"
