from __future__ import annotations

import csv
from pathlib import Path

from coin_retrieval.testing.noise_prototyper import NoisePrototyper
from coin_retrieval.training.demonstration import draw_demonstration
from coin_retrieval.types import Source


class BloodPrototyper(NoisePrototyper):
    """It learned one finding, and no report of it that says "pink"."""

    def knows(self, source: Source) -> bool:
        return "eosinophil" in source.text.lower() and "pink" not in source.text


def test_a_demonstration_shows_what_the_generator_knows(tmp_path: Path) -> None:
    manifest = draw_demonstration(BloodPrototyper(), tmp_path, per_finding=6, seed=0)
    with manifest.open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 6
    assert {row["finding"] for row in rows} == {"eosinophil"}
    assert all((tmp_path / row["image_path"]).exists() for row in rows)
    assert not any("pink" in row["report"] for row in rows)
