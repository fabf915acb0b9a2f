"""Archives that tests let grow and shrink, and all that they say."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tiny_archives import LABEL, write_picture, write_table

from coin_retrieval.archive.verify import verify
from coin_retrieval.factory import open_archive
from coin_retrieval.testing.histogram_encoder import HistogramEncoder
from coin_retrieval.types import CaseRecord, ImageId, ImageRecord
from indexer.building import BuildReport, BuildSettings, add
from indexer.choices import own_settings
from indexer.rows import read_sources


def add_to(root: Path, *sources: Path, encoder: HistogramEncoder | None = None) -> BuildReport:
    _, store, catalog = own_settings(root)
    settings = BuildSettings(LABEL, store, 8, 2, catalog)
    rows = read_sources(sources, archive=root, where={})
    return add(root, rows, encoder=encoder or HistogramEncoder(), settings=settings)


def table_of(path: Path, cases: Sequence[str], *, first: int = 0, **fields: str) -> Path:
    """A manifest with a new picture for each case."""
    rows = []
    for number, case in enumerate(cases, start=first):
        picture = write_picture(path.parent / "pictures" / f"{number}.png", seed=number)
        rows.append({"image_path": f"pictures/{picture.name}", "case_id": case, **fields})
    return write_table(path, rows)


def content(root: Path) -> dict[int, tuple[ImageRecord, CaseRecord, bytes]]:
    """All that an archive says: each image's record and case, and its vector."""
    with open_archive(root) as archive:
        ids = archive.catalog.select({})
        images = archive.catalog.images(ImageId(i) for i in ids.tolist())
        cases = archive.catalog.cases({image.case_id for image in images.values()})
        vectors = archive.store.vectors(ids)
        return {
            i: (images[ImageId(i)], cases[images[ImageId(i)].case_id], row.tobytes())
            for i, row in zip(ids.tolist(), vectors, strict=True)
        }


def ids_of(root: Path) -> dict[str, int]:
    """Case → id of its only image."""
    return {case.case_id: image_id for image_id, (_, case, _) in content(root).items()}


def lines_of(path: Path) -> list[dict[str, Any]]:
    """What a list of a version says."""
    return [json.loads(line) for line in path.read_text().splitlines()]


def sound(root: Path) -> None:
    """Nothing is amiss, and the manifest's counts are those of a recount."""
    with open_archive(root) as archive:
        assert verify(archive) == []
        counts = archive.manifest.counts
        assert (counts.cases, counts.images) == archive.catalog.counts()
        images = archive.catalog.images(archive.catalog.ids().tolist()).values()
        hashes = [image.content_hash for image in images]
        assert counts.repeated == len(hashes) - len(set(hashes))


def segments(root: Path) -> list[tuple[int, int]]:
    with open_archive(root) as archive:
        return [(segment.rows, segment.removed) for segment in archive.manifest.segments]
