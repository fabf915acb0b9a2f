from __future__ import annotations

import shutil
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from tiny_archives import build_archive, write_picture, write_pictures

from coin_retrieval.tables.cases import CaseRow
from coin_retrieval.testing.histogram_encoder import HistogramEncoder
from coin_retrieval.types import RgbImage
from indexer.embedding import embedding, pictures


class _CountingEncoder(HistogramEncoder):
    """Remembers how many pictures came at a time."""

    def __init__(self) -> None:
        super().__init__()
        self.batches: list[int] = []

    def _embed(self, images: Sequence[RgbImage]) -> NDArray[np.float32]:
        self.batches.append(len(images))
        return super()._embed(images)


def _batches(tmp_path: Path, source: Path, *, batch_size: int) -> list[int]:
    encoder = _CountingEncoder()
    build_archive(tmp_path / "archive", source, encoder=encoder, batch_size=batch_size)
    return encoder.batches


def test_a_batch_is_full_at_its_size(tmp_path: Path) -> None:
    source = write_pictures(tmp_path / "in", 7)
    assert _batches(tmp_path, source, batch_size=3) == [3, 3, 1]


def test_large_pictures_do_not_wait_for_a_full_batch(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = write_pictures(tmp_path / "in", 7)
    # pictures of 24 × 28 px: two are exactly as many as may wait, the third is too much
    monkeypatch.setattr(embedding, "BATCH_PIXELS", 2 * 24 * 28)
    assert _batches(tmp_path, source, batch_size=100) == [3, 3, 1]


def test_the_pixels_of_a_batch_that_is_done_are_forgotten(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = tmp_path / "in"
    for number, side_px in enumerate((100, 10, 10, 10, 10)):
        write_picture(source / f"{number}.png", seed=number, side_px=side_px)
    monkeypatch.setattr(embedding, "BATCH_PIXELS", 5000)
    assert _batches(tmp_path, source, batch_size=100) == [1, 4]


def test_a_batch_does_not_wait_for_more_while_many_known_pictures_pass(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    known = write_pictures(tmp_path / "in" / "b", 9)
    build_archive(tmp_path / "archive", known.parent)
    write_pictures(tmp_path / "in" / "a", 1, first_seed=100)
    write_pictures(tmp_path / "in" / "c", 1, first_seed=200)
    monkeypatch.setattr(embedding, "ROWS_WAITING", 4)
    assert _batches(tmp_path, known.parent, batch_size=100) == [1, 1]


def test_what_is_embedded_and_lost_its_thumbnail_takes_no_place_in_a_batch(tmp_path: Path) -> None:
    source = write_pictures(tmp_path / "in", 6)
    build_archive(tmp_path / "archive", source)
    shutil.rmtree(tmp_path / "archive" / "thumbnails")
    for number in range(4):
        write_picture(source / f"cell_{number:03d}_b.png", seed=50 + number)
    assert _batches(tmp_path, source, batch_size=3) == [3, 1]
    assert len(list((tmp_path / "archive" / "thumbnails").glob("*/*"))) == 10


def test_reading_pauses_while_many_pixels_wait(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = write_pictures(tmp_path / "in", 12)
    layout = pictures.ArchiveLayout(tmp_path / "archive")
    reader = pictures.PictureReader(layout, lambda _: False, workers=1, ahead=100)
    rows = [CaseRow(image_path=path, case_id="") for path in sorted(source.iterdir())]
    held: list[int] = []

    class AtOnce(ThreadPoolExecutor):
        """Each picture is read before the next is asked for: the encoder is what is slow."""

        def submit(self, *asked: Any, **named: Any) -> Future[Any]:  # type: ignore[override]
            future = super().submit(*asked, **named)
            future.result()
            held.append(reader._held_pixels)
            return future

    monkeypatch.setattr(pictures, "HELD_PIXELS", 3 * 24 * 28)
    monkeypatch.setattr(pictures, "ThreadPoolExecutor", AtOnce)
    assert len(list(reader.read_all((row, None) for row in rows))) == 12
    assert max(held) == 3 * 24 * 28
