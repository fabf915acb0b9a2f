from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from coin_retrieval.archive import ArchiveLayout
from coin_retrieval.types import EncoderSpec
from indexer.versions.journal import Journal

SPEC = EncoderSpec(name="e", revision="1", dim=8, preprocessing="p", weights="w")


def _batch(n: int, *, seed: int) -> tuple[list[str], np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    rows = rng.standard_normal((n, 8)).astype(np.float32)
    sizes = rng.integers(1, 500, (n, 2)).astype(np.int32)
    unit = rows / np.linalg.norm(rows, axis=1, keepdims=True)
    return [rng.bytes(32).hex() for _ in range(n)], sizes, unit


@pytest.fixture
def layout(tmp_path: Path) -> ArchiveLayout:
    return ArchiveLayout(tmp_path)


def _read(layout: ArchiveLayout, spec: EncoderSpec = SPEC) -> tuple[Journal, int]:
    journal = Journal(layout, spec)
    return journal, journal.broken


def test_what_was_written_is_read_by_the_next_process(layout: ArchiveLayout) -> None:
    first, second = _batch(5, seed=1), _batch(3, seed=2)
    Journal(layout, SPEC).write(*first)
    Journal(layout, SPEC).write(*second)
    contents, broken = _read(layout)
    assert (len(contents), broken) == (8, 0)
    for hashes, sizes, rows in (first, second):
        found = list(contents.read([*hashes, "ff" * 32]))
        assert [(name, size) for name, size, _ in found] == [
            (name, tuple(size)) for name, size in zip(hashes, sizes.tolist(), strict=True)
        ]
        np.testing.assert_array_equal([embedding for _, _, embedding in found], rows)


@pytest.mark.parametrize(
    "other", [replace(SPEC, revision="2"), replace(SPEC, preprocessing="q"), replace(SPEC, dim=9)]
)
def test_another_encoder_reads_nothing_of_it(layout: ArchiveLayout, other: EncoderSpec) -> None:
    Journal(layout, SPEC).write(*_batch(5, seed=1))
    contents, broken = _read(layout, other)
    assert (len(contents), broken) == (0, 0)


def _cut(data: bytes) -> bytes:
    return data[:-20]


def _zeros(data: bytes) -> bytes:
    return data[:-64] + bytes(64)


def _rubbish(data: bytes) -> bytes:
    return b"not safetensors" + data


@pytest.mark.parametrize("spoil", [_cut, _zeros, _rubbish, lambda _: b""])
def test_a_spoilt_batch_is_thrown_away_and_the_others_stay(
    layout: ArchiveLayout, spoil: object
) -> None:
    journal = Journal(layout, SPEC)
    journal.write(*_batch(5, seed=1))
    journal.write(*_batch(3, seed=2))
    first = sorted(layout.work.glob("*/*"))[0]
    first.write_bytes(spoil(first.read_bytes()))
    contents, broken = _read(layout)
    assert (len(contents), broken) == (3, 1)
    assert not first.exists()


def test_a_batch_that_was_being_written_is_not_read(layout: ArchiveLayout) -> None:
    journal = Journal(layout, SPEC)
    journal.write(*_batch(5, seed=1))
    whole = next(layout.work.glob("*/*"))
    whole.with_name(f"{2:08d}.safetensors.123.partial").write_bytes(whole.read_bytes()[:50])
    contents, broken = _read(layout)
    assert (len(contents), broken) == (5, 0)


def test_a_batch_of_which_all_is_in_a_segment_is_deleted(layout: ArchiveLayout) -> None:
    journal = Journal(layout, SPEC)
    first, second = _batch(5, seed=1), _batch(3, seed=2)
    journal.write(*first)
    journal.write(*second)
    journal.forget([*first[0][:4], *second[0], "ff" * 32])
    assert len(list(layout.work.glob("*/*"))) == 1
    assert (len(journal), first[0][4] in journal) == (1, True)
    journal.forget(first[0])
    assert list(layout.work.glob("*/*")) == []


def test_a_batch_that_changes_under_the_build_is_told(layout: ArchiveLayout) -> None:
    Journal(layout, SPEC).write(*_batch(5, seed=1))
    journal = Journal(layout, SPEC)
    next(layout.work.glob("*/*")).write_bytes(b"spoilt")
    with pytest.raises(OSError, match="changed on the disk"):
        list(journal.read(_batch(5, seed=1)[0]))
