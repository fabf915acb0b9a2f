from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageDraw

COLUMNS = (
    "image_path",
    "case_id",
    "site",
    "specimen",
    "stain",
    "diagnosis",
    "finding",
    "split",
)
FINDINGS = {
    "eosinophil": ("peripheral blood", "blood smear", "May-Grunwald-Giemsa", (220, 90, 70)),
    "lymphocyte": ("peripheral blood", "blood smear", "May-Grunwald-Giemsa", (70, 60, 160)),
    "Candida": ("cervix", "Pap smear", "Papanicolaou", (80, 170, 160)),
}


def draw_cells(folder: Path, *, per_finding: int = 6) -> Path:
    """A manifest of drawn discs, a colour a finding, every third one of the val split."""
    (folder / "images").mkdir(parents=True)
    random = np.random.default_rng(0)
    rows = []
    for finding, (site, specimen, stain, colour) in FINDINGS.items():
        for index in range(per_finding):
            name = f"images/{finding}-{index}.png"
            picture = Image.new("RGB", (80, 72), (250, 235, 215))
            centre, radius = random.integers(30, 45, 2), int(random.integers(12, 24))
            ImageDraw.Draw(picture).circle(tuple(map(int, centre)), radius, fill=colour)
            picture.save(folder / name)
            split = "val" if index % 3 == 2 else "train"
            rows.append(
                (name, f"{finding}-{index}", site, specimen, stain, finding, finding, split)
            )
    table = folder / "cases.csv"
    with table.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(COLUMNS)
        writer.writerows(rows)
    return table


@pytest.fixture(scope="session")
def drawn_table(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return draw_cells(tmp_path_factory.mktemp("cells") / "drawn")
