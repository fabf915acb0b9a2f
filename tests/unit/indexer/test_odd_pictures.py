"""Whatever the pictures are like, the others are indexed, and what is skipped is told."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from growing_archives import ids_of, lines_of
from PIL import Image
from tiny_archives import build_archive, write_picture, write_table

from coin_retrieval.errors import InputError, ModelError


def _black(path: Path) -> Path:
    Image.new("RGB", (9, 9)).save(path)
    return path


def test_unreadable_pictures_are_skipped_listed_and_counted(root: Path, tmp_path: Path) -> None:
    write_picture(tmp_path / "good.png", seed=1)
    whole = write_picture(tmp_path / "whole.png", seed=2).read_bytes()
    (tmp_path / "cut.png").write_bytes(whole[: len(whole) // 2])
    (tmp_path / "empty.png").touch()
    (tmp_path / "text.png").write_text("not a picture")
    (tmp_path / "folder.png").mkdir()
    names = ["good", "cut", "empty", "text", "folder", "missing", "nul\0byte", "ünïcödé 🔬"]
    table = write_table(
        tmp_path / "cases.csv", [{"image_path": f"{name}.png", "case_id": "c"} for name in names]
    )
    report = build_archive(root, table)
    skipped = lines_of(report.folder / "skipped.jsonl")
    assert [Path(str(line["path"])).stem for line in skipped] == names[1:]
    assert all(line["reason"] for line in skipped)
    counts = report.manifest.counts
    assert (counts.rows, counts.images, counts.skipped) == (8, 1, 7)


def test_a_pipe_does_not_hang_the_build(root: Path, tmp_path: Path) -> None:
    import os

    write_picture(tmp_path / "in" / "good.png", seed=1)
    os.mkfifo(tmp_path / "in" / "pipe.png")
    report = build_archive(root, tmp_path / "in")
    (line,) = lines_of(report.folder / "skipped.jsonl")
    assert "regular file" in str(line["reason"])


def test_a_decompression_bomb_is_skipped(root: Path, tmp_path: Path) -> None:
    write_picture(tmp_path / "in" / "good.png", seed=1)
    Image.new("1", (20_000, 20_000)).save(tmp_path / "in" / "bomb.png")
    report = build_archive(root, tmp_path / "in")
    (line,) = lines_of(report.folder / "skipped.jsonl")
    assert "pixels" in str(line["reason"])


def test_unusual_formats_are_indexed(root: Path, tmp_path: Path) -> None:
    folder = tmp_path / "in"
    folder.mkdir()
    rng = np.random.default_rng(0)
    rgb = Image.fromarray(rng.integers(0, 255, (20, 20, 3), dtype=np.uint8))
    rgb.convert("CMYK").save(folder / "cmyk.jpg")
    rgb.convert("RGBA").save(folder / "alpha.png")
    Image.fromarray(rng.integers(0, 65535, (20, 20), dtype=np.uint16)).save(folder / "deep.png")
    rgb.save(folder / "animated.gif", save_all=True, append_images=[rgb.rotate(90)])
    assert build_archive(root, folder).manifest.counts.images == 4


def test_a_picture_that_the_encoder_refuses_does_not_cost_its_batch(
    root: Path, pictures: Path
) -> None:
    _black(pictures / "black.png")
    report = build_archive(root, pictures, batch_size=64)
    assert report.manifest.counts.images == 20
    (line,) = lines_of(report.folder / "skipped.jsonl")
    assert "black" in str(line["reason"])


def test_an_encoder_that_fails_on_everything_stops_the_build(root: Path, tmp_path: Path) -> None:
    folder = tmp_path / "in"
    folder.mkdir()
    _black(folder / "a.png")
    with pytest.raises(ModelError, match="black"):
        build_archive(root, folder)


def test_a_build_without_any_readable_picture_publishes_nothing(
    root: Path, pictures: Path, tmp_path: Path
) -> None:
    build_archive(root, pictures)
    table = write_table(tmp_path / "cases.csv", [{"image_path": "gone.png", "case_id": "c"}])
    with pytest.raises(InputError, match="no picture could be read"):
        build_archive(root, table, drop=True)
    assert len(ids_of(root)) == 20
