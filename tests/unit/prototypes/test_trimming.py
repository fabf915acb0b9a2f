"""A cache that has a size: what was not used for longest goes first."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
from unit.prototypes.test_cache import drawn, plan

from coin_retrieval.prototypes.cache import PrototypeCache
from coin_retrieval.types import EncoderSpec

SPEC = EncoderSpec("mean-colour", "1", 2, "p", "w")
LONG_AGO_S = 86_400


def aged(path: Path, *, days: int) -> None:
    for file in path.parent.glob(f"{path.stem}.*"):
        then = file.stat().st_mtime - days * LONG_AGO_S
        os.utime(file, (then, then))


def bytes_of(root: Path) -> int:
    return sum(path.stat().st_size for path in root.glob("??/*") if path.is_file())


@pytest.fixture
def one_picture_bytes(tmp_path: Path) -> int:
    return PrototypeCache(tmp_path / "other").put(drawn(plan(0))).path.stat().st_size


def test_the_cache_stays_below_its_size(tmp_path: Path, one_picture_bytes: int) -> None:
    cache = PrototypeCache(tmp_path / "cache", max_bytes=5 * one_picture_bytes)
    for seed in range(40):
        aged(cache.put(drawn(plan(seed))).path, days=40 - seed)
        assert bytes_of(cache.root) <= 5 * one_picture_bytes
    assert cache.get(plan(39)) is not None
    assert cache.get(plan(0)) is None


def test_what_was_used_lately_stays(tmp_path: Path, one_picture_bytes: int) -> None:
    cache = PrototypeCache(tmp_path / "cache", max_bytes=4 * one_picture_bytes)
    for seed in range(3):
        aged(cache.put(drawn(plan(seed))).path, days=9 - seed)
    assert cache.get(plan(0)) is not None
    for seed in (3, 4):
        cache.put(drawn(plan(seed)))
    assert cache.get(plan(0)) is not None
    assert cache.get(plan(1)) is None


def test_embeddings_go_with_their_picture(tmp_path: Path, one_picture_bytes: int) -> None:
    cache = PrototypeCache(tmp_path / "cache", max_bytes=3 * one_picture_bytes)
    first = cache.put(drawn(plan(0)))
    cache.embeddings([first], SPEC, lambda images: _unit(len(images)))
    aged(first.path, days=9)
    for seed in range(1, 4):
        cache.put(drawn(plan(seed)))
    assert not list(first.path.parent.glob(f"{first.path.stem}.*"))


def test_a_cache_without_a_size_keeps_all(tmp_path: Path) -> None:
    cache = PrototypeCache(tmp_path / "cache")
    for seed in range(20):
        cache.put(drawn(plan(seed)))
    assert all(cache.get(plan(seed)) is not None for seed in range(20))


def test_a_cache_that_was_full_before_the_program_began_is_trimmed_at_once(
    tmp_path: Path, one_picture_bytes: int
) -> None:
    for seed in range(10):
        aged(PrototypeCache(tmp_path / "cache").put(drawn(plan(seed))).path, days=10 - seed)
    cache = PrototypeCache(tmp_path / "cache", max_bytes=3 * one_picture_bytes)
    cache.put(drawn(plan(10)))
    assert bytes_of(cache.root) <= 3 * one_picture_bytes
    assert cache.get(plan(10)) is not None


def _unit(rows: int) -> np.ndarray:
    return np.tile(np.array([1, 0], np.float32), (rows, 1))
