"""Large archives are worked on in blocks: what comes out is the same, however small they are."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from tiny_archives import build_archive, write_pictures

from coin_retrieval.archive import verify as verifying
from coin_retrieval.archive.manifest import ArchiveManifest
from coin_retrieval.factory import open_archive
from coin_retrieval.stores import base
from indexer.cases import drafts
from indexer.embedding import passing
from indexer.versions import neighbours

IMAGES = 11


@pytest.fixture
def whole(tmp_path: Path) -> ArchiveManifest:
    """Of an archive that was built in one block."""
    pictures = write_pictures(tmp_path / "in", IMAGES)
    return build_archive(tmp_path / "whole", pictures).manifest


@pytest.fixture
def in_blocks(whole: ArchiveManifest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The same in blocks of four, of which the last is not full."""
    monkeypatch.setattr(passing, "_ROWS_AT_ONCE", 4)
    monkeypatch.setattr(base, "SCANNED_ROWS", 5)
    monkeypatch.setattr(drafts, "_AT_ONCE", 3)
    monkeypatch.setattr(neighbours, "_AT_ONCE", 4)
    monkeypatch.setattr(verifying, "_BLOCK", 4)
    build_archive(tmp_path / "blocks", tmp_path / "in")
    return tmp_path / "blocks"


def test_the_manifest_is_the_same(whole: ArchiveManifest, in_blocks: Path) -> None:
    with open_archive(in_blocks) as archive:
        assert verifying.verify(archive) == []
        assert archive.manifest.counts == whole.counts
        assert [segment.rows for segment in archive.manifest.segments] == [5, 5, 1]
        assert archive.manifest.real_mean == pytest.approx(whole.real_mean, abs=1e-7)
        assert archive.manifest.own_neighbours == whole.own_neighbours


def test_everything_is_reused(in_blocks: Path, tmp_path: Path) -> None:
    with open_archive(in_blocks) as archive:
        ids = np.sort(archive.store.ids())
        vectors = archive.store.vectors(ids)
    again = build_archive(in_blocks, tmp_path / "in")
    assert (again.embedded, again.reused) == (0, IMAGES)
    with open_archive(in_blocks) as archive:
        np.testing.assert_array_equal(archive.store.vectors(ids), vectors)


@pytest.mark.parametrize("place", [0, 3, 4, IMAGES - 1])
def test_a_fault_is_found_in_whichever_block_it_lies(in_blocks: Path, place: int) -> None:
    with open_archive(in_blocks) as archive:
        one = archive.catalog.select({})[place : place + 1]
        (image,) = archive.catalog.images(one.tolist()).values()
        archive.thumbnail_path(image).unlink()
        found = {(finding.subject, finding.problem) for finding in verifying.verify(archive)}
    assert found == {(f"image {image.image_id}", "the thumbnail is missing or spoilt")}
