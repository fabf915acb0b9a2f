"""Two hundred pictures that nobody should have to index: each is told, none stops the build."""

from __future__ import annotations

import io
import json
import os
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from tiny_archives import build_archive, write_picture, write_pictures

from coin_retrieval.archive.verify import verify
from coin_retrieval.errors import InputError
from coin_retrieval.factory import open_archive
from coin_retrieval.testing.histogram_encoder import HistogramEncoder
from indexer.repairing import repair_thumbnails

FORMATS = {"png": "PNG", "jpg": "JPEG", "tif": "TIFF", "webp": "WEBP", "bmp": "BMP", "gif": "GIF"}


def _hostile() -> Iterator[tuple[str, bytes]]:
    """Cut off, bitten, zeroed, doubled and mislabelled files of every format."""
    random = np.random.default_rng(0)
    pixels = random.integers(30, 225, (40, 44, 3), dtype=np.uint8)
    whole = {}
    for suffix, name in FORMATS.items():
        buffer = io.BytesIO()
        Image.fromarray(pixels).save(buffer, format=name)
        whole[suffix] = buffer.getvalue()
    for suffix, data in whole.items():
        for share in (0, 0.01, 0.05, 0.2, 0.5, 0.8, 0.95):
            yield f"cut-{share}.{suffix}", data[: int(share * len(data))]
        for seed in range(12):
            bitten = bytearray(data)
            for place in np.random.default_rng(seed).integers(0, len(data), 20):
                bitten[place] ^= 0xFF
            yield f"bitten-{seed}.{suffix}", bytes(bitten)
        for start in (0, 8, 30, len(data) // 2):
            end = min(len(data), start + 200)
            yield f"zeros-{start}.{suffix}", data[:start] + bytes(end - start) + data[end:]
        for other, foreign in whole.items():
            if other != suffix:
                yield f"head-of-{other}.{suffix}", foreign[:20] + data[20:]
        yield f"text.{suffix}", b"Dear colleague, please find the picture attached."
        yield f"markup.{suffix}", b"<svg onload=alert(1)>"
        yield f"zip.{suffix}", b"PK\3\4" + bytes(100)
        yield f"script.{suffix}", b"#!/bin/sh\nrm -rf /\n"


def test_every_hostile_picture_is_indexed_or_told_with_its_reason(tmp_path: Path) -> None:
    folder = write_pictures(tmp_path / "in", 3)
    hostile = dict(_hostile())
    assert len(hostile) >= 190
    for name, data in hostile.items():
        (folder / name).write_bytes(data)
    report = build_archive(tmp_path / "archive", folder, max_skipped=1)
    lines = [json.loads(line) for line in (report.folder / "skipped.jsonl").open()]
    counts = report.manifest.counts
    assert counts.rows == len(hostile) + 3
    assert counts.skipped == len(lines) > 60
    for line in lines:
        assert line["path"] in hostile
        assert line["source"] == str(folder)
        assert line["reason"]
        assert " at 0x" not in line["reason"]
    with open_archive(tmp_path / "archive") as archive:
        assert verify(archive) == []


def test_files_of_other_kinds_are_listed(tmp_path: Path) -> None:
    folder = write_pictures(tmp_path / "in", 2)
    for name in ("film.mp4", "other.MP4", "notes.txt", "Thumbs"):
        (folder / name).write_bytes(b"x")
    report = build_archive(tmp_path / "archive", folder)
    (warning,) = report.warnings
    assert "2 .mp4" in warning
    assert "1 without a suffix" in warning


def test_a_folder_that_cannot_be_read_is_not_taken_for_empty(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = write_pictures(tmp_path / "in", 2)
    write_picture(folder / "below" / "a.png", seed=9)
    scan = os.scandir

    def refusing(path: str | os.PathLike[str]) -> object:
        # whoever runs the tests may be allowed to read everything
        if Path(path).name == "below":
            raise PermissionError(13, "Permission denied", str(path))
        return scan(path)

    monkeypatch.setattr(os, "scandir", refusing)
    with pytest.raises(InputError, match=r"below.*permissions"):
        build_archive(tmp_path / "archive", folder)


def test_thumbnails_are_repaired_where_pictures_are_as_they_were(
    root: Path, tmp_path: Path
) -> None:
    folder = write_pictures(tmp_path / "in", 3)
    build_archive(root, folder, encoder=HistogramEncoder())
    thumbnails = sorted((root / "thumbnails").glob("*/*"))
    whole = [path.read_bytes() for path in thumbnails]
    thumbnails[0].unlink()
    thumbnails[1].write_bytes(bytes(len(whole[1])))
    assert repair_thumbnails(root) == 2
    assert [path.read_bytes() for path in thumbnails] == whole
    thumbnails[0].unlink()
    for path in folder.iterdir():
        path.write_bytes(b"another file")
    assert repair_thumbnails(root) == 0
