from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tiny_archives import build_archive, write_pictures

from coin_retrieval.archive import ArchiveLayout
from coin_retrieval.archive.amend import put_calibration
from coin_retrieval.archive.locks import building
from coin_retrieval.archive.manifest import manifest_text, read_manifest
from coin_retrieval.archive.measured.calibration import Calibration, close_match_from
from coin_retrieval.archive.verify import verify
from coin_retrieval.config import FusionSettings, ModalityMeans
from coin_retrieval.errors import ArchiveBusyError, ArchiveError, EncoderMismatchError
from coin_retrieval.factory import open_archive
from coin_retrieval.types import SearchMode

CALIBRATION = Calibration(
    created_at=datetime.now(UTC),
    queries=40,
    by="finding",
    mode=SearchMode.TEXT,
    fusion=FusionSettings(
        text_weight=0.6,
        means=ModalityMeans(text=(0.1,) * 64, generated=(0.2,) * 64, real=(0.3,) * 64),
        centring=True,
    ),
    prototypes=2,
    figures={"calibrated": 0.5, "text": 0.4},
    close_match=close_match_from([0.1, 0.2, 0.3]),
    generator="0" * 64,
    generator_name="tiny",
    images=5,
)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    root = tmp_path / "archive"
    build_archive(root, write_pictures(tmp_path / "pictures", 5))
    return root


def manifest_file(root: Path) -> Path:
    return ArchiveLayout(root).published() / "manifest.json"


def calibrate(root: Path) -> None:
    encoder = read_manifest(manifest_file(root)).encoder
    put_calibration(root, CALIBRATION, encoder=encoder)


@given(st.integers(1, 400))
def test_the_stated_rate_is_the_thresholds_rank_among_one_score_more(n: int) -> None:
    close = close_match_from(np.arange(n))
    # of n + 1 exchangeable scores the new one is below the r-th of the others in r of n + 1 orders
    assert close.false_alarm_rate == pytest.approx((close.threshold + 1) / (n + 1))
    assert close.false_alarm_rate <= max(0.05, 1 / (n + 1)) + 1e-12


def test_the_stated_rate_is_realised_on_new_queries() -> None:
    random = np.random.default_rng(0)
    realised = []
    for _ in range(300):
        close = close_match_from(random.normal(size=99))
        realised.append((random.normal(size=2000) < close.threshold).mean())
    assert np.mean(realised) == pytest.approx(0.05, abs=0.005)


def test_a_handful_of_queries_states_that_it_is_unsure() -> None:
    close = close_match_from([0.4, 0.2, 0.3])
    assert (close.threshold, close.false_alarm_rate) == (0.2, 0.25)


def test_a_calibration_is_kept_and_the_archive_stays_whole(root: Path) -> None:
    before = read_manifest(manifest_file(root))
    calibrate(root)
    with open_archive(root) as archive:
        assert archive.manifest == before.model_copy(update={"calibration": CALIBRATION})
        assert verify(archive) == []
    assert [path.name for path in ArchiveLayout(root).versions.iterdir()] == ["000001"]


def test_a_calibration_waits_for_no_build(root: Path) -> None:
    with building(ArchiveLayout(root)), pytest.raises(ArchiveBusyError):
        calibrate(root)
    assert read_manifest(manifest_file(root)).calibration is None


def test_a_calibration_that_dies_leaves_the_manifest_before(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = manifest_file(root).read_text()

    def die(*_: object) -> None:
        raise OSError(28, "No space left on device", "manifest.json")

    monkeypatch.setattr("os.fsync", die)
    with pytest.raises(ArchiveError, match="No space left"):
        calibrate(root)
    assert manifest_file(root).read_text() == before


def test_a_calibration_with_another_encoder_is_refused(root: Path) -> None:
    other = replace(read_manifest(manifest_file(root)).encoder, weights="other")
    with pytest.raises(EncoderMismatchError, match="calibrate it again"):
        put_calibration(root, CALIBRATION, encoder=other)


def test_vectors_stand_on_one_line_and_are_read_back(root: Path) -> None:
    calibrate(root)
    text = manifest_file(root).read_text()
    assert max(len(line) for line in text.splitlines()) > 500
    assert len(text.splitlines()) < 200
    assert manifest_text(read_manifest(manifest_file(root))) == text
