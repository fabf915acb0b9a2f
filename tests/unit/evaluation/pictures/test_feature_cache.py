from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from coin_retrieval.errors import SettingsError
from coin_retrieval.evaluation.pictures.feature_cache import FeatureCache
from coin_retrieval.types import EncoderSpec

SPEC = EncoderSpec(name="e", revision="1", dim=3, preprocessing="p", weights="w")


class _Measure:
    """Counts what it is asked; a file's feature is its length, thrice."""

    def __init__(self) -> None:
        self.asked: list[str] = []

    def __call__(self, paths: list[Path]) -> NDArray[np.float32]:
        self.asked += [path.name for path in paths]
        return np.array([[path.stat().st_size] * 3 for path in paths], np.float32)


@pytest.fixture
def files(tmp_path: Path) -> list[Path]:
    made = [tmp_path / f"{length}.bin" for length in (1, 2, 3)]
    for path in made:
        path.write_bytes(b"x" * int(path.stem))
    return made


def test_a_picture_is_measured_once(tmp_path: Path, files: list[Path]) -> None:
    cache, measure = FeatureCache.of(tmp_path / "kept", SPEC, size_px=None), _Measure()
    first = cache.rows(files[:2], measure)
    second = cache.rows(files, measure)
    assert measure.asked == ["1.bin", "2.bin", "3.bin"]
    assert np.array_equal(second[:2], first)
    assert second[:, 0].tolist() == [1, 2, 3]


def test_the_same_content_elsewhere_is_the_same_picture(tmp_path: Path, files: list[Path]) -> None:
    cache, measure = FeatureCache.of(tmp_path / "kept", SPEC, size_px=None), _Measure()
    cache.rows(files[:1], measure)
    (tmp_path / "copy.bin").write_bytes(files[0].read_bytes())
    cache.rows([tmp_path / "copy.bin"], measure)
    assert measure.asked == ["1.bin"]


def test_another_size_is_another_space(tmp_path: Path, files: list[Path]) -> None:
    measure = _Measure()
    for size_px in (None, 64):
        FeatureCache.of(tmp_path / "kept", SPEC, size_px=size_px).rows(files[:1], measure)
    assert measure.asked == ["1.bin", "1.bin"]


def test_a_damaged_entry_is_measured_again(tmp_path: Path, files: list[Path]) -> None:
    cache, measure = FeatureCache.of(tmp_path / "kept", SPEC, size_px=None), _Measure()
    cache.rows(files[:1], measure)
    (entry,) = (tmp_path / "kept").rglob("*.npy")
    entry.write_bytes(b"cut")
    assert cache.rows(files[:1], measure).tolist() == [[1, 1, 1]]
    assert measure.asked == ["1.bin", "1.bin"]


def test_a_cache_that_cannot_be_written_is_told(tmp_path: Path, files: list[Path]) -> None:
    (tmp_path / "taken").write_text("a file")
    cache = FeatureCache.of(tmp_path / "taken", SPEC, size_px=None)
    with pytest.raises(SettingsError, match="COIN_CACHE_DIR"):
        cache.rows(files[:1], _Measure())
