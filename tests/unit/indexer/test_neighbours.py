from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest
from tiny_archives import build_archive, write_picture, write_pictures, write_table

from coin_retrieval.archive import Archive
from coin_retrieval.archive.amend import put_calibration
from coin_retrieval.archive.measured.calibration import Calibration, close_match_from
from coin_retrieval.config import FusionSettings
from coin_retrieval.factory import open_archive
from coin_retrieval.search.calibration_use import images_notice
from coin_retrieval.testing.histogram_encoder import HistogramEncoder
from coin_retrieval.types import ImageId, Origin, SearchMode


def write_cases(folder: Path, n: int = 30, *, origin: str = "real") -> Path:
    """``n`` pictures, two a case; every seventh is drawn, and one lies under two cases."""
    rows = []
    for number in range(n):
        write_picture(folder / f"{number}.png", seed=number)
        rows.append(
            {
                "image_path": f"{number}.png",
                "case_id": f"C{number // 2}",
                "origin": "generated" if number % 7 == 3 else origin,
            }
        )
    rows.append({"image_path": "0.png", "case_id": "again", "origin": origin})
    return write_table(folder / "cases.csv", rows)


def exhaustive(archive: Archive) -> list[float]:
    """Every real picture's mean similarity to the first three other cases, by the definition."""
    images = archive.catalog.images(ImageId(int(i)) for i in archive.catalog.select({}))
    real = [image for image in images.values() if image.origin is Origin.REAL]
    rows = archive.store.vectors(np.array([image.image_id for image in real]))
    scores = []
    for asked, row in zip(real, rows, strict=True):
        best: dict[str, float] = {}
        for other, similarity in zip(real, rows @ row, strict=True):
            if other.case_id != asked.case_id and other.content_hash != asked.content_hash:
                best[other.case_id] = max(best.get(other.case_id, -1.0), float(similarity))
        scores.append(float(np.mean(sorted(best.values(), reverse=True)[:3])))
    return scores


def test_own_neighbours_are_those_of_an_exhaustive_scan(root: Path, tmp_path: Path) -> None:
    manifest = build_archive(root, write_cases(tmp_path / "in")).manifest
    with open_archive(root) as archive:
        expected = close_match_from(exhaustive(archive))
    assert manifest.own_neighbours is not None
    assert manifest.own_neighbours.queries == expected.queries
    assert manifest.own_neighbours.threshold == pytest.approx(expected.threshold, abs=1e-5)
    assert manifest.own_neighbours.false_alarm_rate == expected.false_alarm_rate


def test_a_case_with_hundreds_of_pictures_does_not_hide_the_others(
    root: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "in"
    rows = []
    for number in range(90):
        # one colour each side: the big case's pictures are each other's nearest
        write_picture(
            folder / f"{number}.png", seed=1 if number < 80 else number, side_px=20 + number
        )
        case = "big" if number < 80 else f"C{number}"
        rows.append({"image_path": f"{number}.png", "case_id": case})
    manifest = build_archive(root, write_table(folder / "cases.csv", rows)).manifest
    with open_archive(root) as archive:
        expected = close_match_from(exhaustive(archive))
    assert manifest.own_neighbours is not None
    assert manifest.own_neighbours.queries == 90
    assert manifest.own_neighbours.threshold == pytest.approx(expected.threshold, abs=1e-5)


def test_the_real_mean_leaves_drawn_pictures_out(root: Path, tmp_path: Path) -> None:
    manifest = build_archive(root, write_cases(tmp_path / "in")).manifest
    with open_archive(root) as archive:
        real = archive.catalog.select({"origin": ["real"]})
        expected = archive.store.vectors(real).mean(axis=0)
    np.testing.assert_allclose(manifest.real_mean, expected, atol=1e-6)


def test_a_demonstration_is_measured_on_its_drawn_pictures(root: Path, tmp_path: Path) -> None:
    manifest = build_archive(root, write_cases(tmp_path / "in", origin="generated")).manifest
    assert manifest.demonstration
    assert manifest.own_neighbours is not None
    assert manifest.own_neighbours.queries == 31
    assert manifest.real_mean is not None


def test_one_case_has_no_neighbours(root: Path, tmp_path: Path) -> None:
    write_picture(tmp_path / "in" / "a.png", seed=1)
    assert build_archive(root, tmp_path / "in").manifest.own_neighbours is None


def calibration(images: int) -> Calibration:
    return Calibration(
        created_at=datetime.now(UTC),
        queries=40,
        by="finding",
        mode=SearchMode.TEXT,
        fusion=FusionSettings(),
        prototypes=2,
        figures={},
        generator="",
        images=images,
    )


def test_a_rebuild_keeps_the_calibration_and_says_on_how_many_images_it_was_made(
    root: Path, tmp_path: Path
) -> None:
    encoder = HistogramEncoder()
    build_archive(root, write_pictures(tmp_path / "in", 20), encoder=encoder)
    made = calibration(20)
    assert images_notice(put_calibration(root, made, encoder=encoder.spec)) == ()
    write_pictures(tmp_path / "in", 25)
    manifest = build_archive(root, tmp_path / "in", encoder=encoder).manifest
    assert manifest.calibration == made
    (notice,) = images_notice(manifest)
    assert "20 images" in notice
    assert "25" in notice


def test_a_rebuild_with_another_encoder_forgets_the_calibration(root: Path, tmp_path: Path) -> None:
    encoder = HistogramEncoder()
    build_archive(root, write_pictures(tmp_path / "in", 5), encoder=encoder)
    put_calibration(root, calibration(5), encoder=encoder.spec)
    other = HistogramEncoder(revision="2")
    assert build_archive(root, tmp_path / "in", encoder=other).manifest.calibration is None
