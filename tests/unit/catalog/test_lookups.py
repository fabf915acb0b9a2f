from __future__ import annotations

import tracemalloc
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest

from coin_retrieval.catalog.lookups import LOOKED_UP, LOOKUPS, open_lookups, write_lookups
from coin_retrieval.catalog.sql import SqlCatalog
from coin_retrieval.catalog.writing import SqlCatalogWriter
from coin_retrieval.config import SqliteCatalogSettings
from coin_retrieval.errors import ArchiveCorruptError
from coin_retrieval.testing.catalog_suite import CERVIX, HSIL, LSIL
from coin_retrieval.types import ImageIds


def _numbers(count: int) -> Mapping[str, ImageIds]:
    random = np.random.default_rng(3)
    return {name: random.integers(-(2**63), 2**63, count) for name in LOOKED_UP}


def test_every_number_is_found_in_its_row_and_no_other_is(tmp_path: Path) -> None:
    numbers = _numbers(1000)
    write_lookups(tmp_path / LOOKUPS, numbers)
    opened = open_lookups(tmp_path / LOOKUPS)
    for name in LOOKED_UP:
        by_row = numbers[name]
        assert opened[name].ids.tolist() == numbers[name].tolist()
        np.testing.assert_array_equal(opened[name].rows(by_row[::-1]), np.arange(1000)[::-1])
        assert set(opened[name].rows(by_row + 1).tolist()) == {-1}


def test_nothing_of_it_is_held_in_memory(tmp_path: Path) -> None:
    count = 300_000
    numbers = _numbers(count)
    write_lookups(tmp_path / LOOKUPS, numbers)
    wanted = {name: numbers[name][:500] for name in LOOKED_UP}
    tracemalloc.start()
    try:
        opened = open_lookups(tmp_path / LOOKUPS)
        for name in LOOKED_UP:
            assert opened[name].rows(wanted[name]).tolist() == list(range(500))
            assert opened[name].all_rows(wanted[name]).tolist() == list(range(500))
        _, most = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert most < count, "less than a byte an image"


def test_a_catalog_in_files_finds_by_them_alone(tmp_path: Path) -> None:
    writer = SqlCatalogWriter.create(SqliteCatalogSettings(), tmp_path)
    writer.put([CERVIX], [LSIL, HSIL])
    location = writer.seal()
    numbers = {name: np.zeros(2, np.int64) for name in LOOKED_UP}
    assert SqlCatalog.open(SqliteCatalogSettings(), tmp_path, location).of_uris([LSIL.uri])
    write_lookups(tmp_path / LOOKUPS, numbers)
    assert not SqlCatalog.open(SqliteCatalogSettings(), tmp_path, location).of_uris([LSIL.uri])


@pytest.mark.parametrize("shape", [(6, 10), (2, 2, 10), (3, 2)])
def test_another_array_is_refused(tmp_path: Path, shape: tuple[int, ...]) -> None:
    np.save(tmp_path / LOOKUPS, np.zeros(shape, np.int64))
    with pytest.raises(ArchiveCorruptError, match="looked up by"):
        open_lookups(tmp_path / LOOKUPS)


@pytest.mark.parametrize("content", [b"", b"no array"])
def test_another_file_is_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / LOOKUPS).write_bytes(content)
    with pytest.raises(ArchiveCorruptError, match="looked up by"):
        open_lookups(tmp_path / LOOKUPS)
