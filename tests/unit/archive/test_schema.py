"""Archives that earlier programs built, kept as they were written."""

from __future__ import annotations

import json
import os
import shutil
import signal
from pathlib import Path

import numpy as np
import pytest
from click.testing import Result
from tiny_archives import build_archive, write_pictures
from typer.testing import CliRunner

from coin_retrieval.archive import ArchiveLayout
from coin_retrieval.archive.amend import put_calibration
from coin_retrieval.archive.locks import building
from coin_retrieval.archive.manifest import manifest_text, read_manifest
from coin_retrieval.archive.measured.calibration import Calibration
from coin_retrieval.archive.measured.closeness import TextCloseness
from coin_retrieval.archive.schema import SCHEMA_VERSION
from coin_retrieval.archive.verify import verify
from coin_retrieval.config import FlatIndex, HnswIndex
from coin_retrieval.factory import open_archive
from coin_retrieval.testing.histogram_encoder import HistogramEncoder
from indexer.cli import app
from indexer.upgrading import upgrade
from indexer.versions import version

ARCHIVES = Path(__file__).parents[2] / "archives"
INDEXES = {
    1: FlatIndex(),
    2: HnswIndex(m=32, ef_construction=200, ef=128),
    3: HnswIndex(m=32, ef_construction=200, ef=256),
    4: HnswIndex(m=32, ef_construction=200, ef=256),
}


@pytest.fixture(params=range(1, SCHEMA_VERSION))
def schema(request: pytest.FixtureRequest) -> int:
    return int(request.param)


@pytest.fixture
def root(schema: int, tmp_path: Path) -> Path:
    """A copy: the archive itself stays as it was written."""
    return Path(shutil.copytree(ARCHIVES / f"schema_{schema}", tmp_path / "archive"))


def _upgrade(root: Path, *options: str) -> Result:
    return CliRunner().invoke(app, ["upgrade", str(root), *options])


def _bytes(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def _written(root: Path) -> dict[str, object]:
    return dict(json.loads((ArchiveLayout(root).published() / "manifest.json").read_text()))


def _calibration() -> Calibration:
    manifest = read_manifest(ARCHIVES / "schema_2" / "versions" / "000001" / "manifest.json")
    assert manifest.calibration is not None
    return manifest.calibration


def test_it_opens_and_every_picture_finds_itself(root: Path, schema: int) -> None:
    with open_archive(root) as archive:
        assert [f for f in verify(archive) if f.severity == "error"] == []
        assert archive.manifest.schema_version == SCHEMA_VERSION
        assert archive.manifest.store.index == INDEXES[schema]
        ids = archive.store.ids()
        hits = archive.store.search(archive.store.vectors(ids), 1)
        assert [found[0].image_id for found in hits] == ids.tolist()
        assert archive.catalog.counts() == (4, 8)
        case = archive.catalog.cases(["case-1"])["case-1"]
        assert (case.report, case.patient_id) == ("Report of case 1.", "")
        assert {image.slide_id for image in archive.catalog.case_images("case-1")} == {""}
    assert _written(root)["schema_version"] == schema, "reading changes nothing"


def test_it_can_be_calibrated_where_it_lies(root: Path, schema: int) -> None:
    calibration = _calibration()
    put_calibration(root, calibration, encoder=HistogramEncoder().spec)
    assert _written(root)["schema_version"] == SCHEMA_VERSION
    with open_archive(root) as archive:
        assert archive.manifest.calibration == calibration
        assert archive.store.exact == (schema == 1)


def test_a_build_reuses_its_embeddings_and_its_kind_of_index(root: Path, tmp_path: Path) -> None:
    pictures = write_pictures(tmp_path / "pictures", 8)
    report = build_archive(root, pictures, drop=True)
    assert (report.embedded, report.reused) == (0, 8)


def test_an_upgrade_is_the_next_version_and_leaves_the_one_before_as_it_was(
    root: Path, schema: int
) -> None:
    old = [root / "versions" / "000001", *root.glob("segments/*")]
    before = [_bytes(folder) for folder in old]
    with open_archive(root) as archive:
        calibration = archive.manifest.calibration
        vectors = archive.store.vectors(np.sort(archive.store.ids()))
    answer = json.loads(_upgrade(root, "--json").stdout)
    assert answer == {
        "archive": str(root),
        "version": "000002",
        "from_schema": schema,
        "schema": SCHEMA_VERSION,
        "upgraded": True,
    }
    assert [_bytes(folder) for folder in old] == before
    assert _written(root)["schema_version"] == SCHEMA_VERSION
    with open_archive(root) as archive:
        assert archive.version == "000002"
        assert [f for f in verify(archive) if f.severity == "error"] == []
        np.testing.assert_array_equal(archive.store.vectors(np.sort(archive.store.ids())), vectors)
        assert archive.manifest.calibration == calibration
        assert archive.manifest.real_mean == pytest.approx(vectors.mean(axis=0), abs=1e-6)
        assert archive.manifest.own_neighbours is not None
        for segment in archive.manifest.segments:
            assert segment.catalog.files == ("catalog.sqlite", "lookups.npy")


def test_an_archive_that_is_up_to_date_is_left_alone(root: Path) -> None:
    _upgrade(root)
    shown = _upgrade(root)
    assert shown.exit_code == 0
    assert "already" in shown.stdout
    assert sorted(path.name for path in (root / "versions").iterdir()) == ["000001", "000002"]


def test_what_was_not_measured_then_is_measured_after_a_calibration_too(tmp_path: Path) -> None:
    root = Path(shutil.copytree(ARCHIVES / "schema_1", tmp_path / "archive"))
    put_calibration(root, _calibration(), encoder=HistogramEncoder().spec)
    report = upgrade(root)
    assert (report.upgraded, report.from_schema) == (True, SCHEMA_VERSION)
    assert report.manifest.own_neighbours is not None
    assert report.manifest.calibration == _calibration()


def test_an_archive_that_other_known_reports_judge_is_measured_again(tmp_path: Path) -> None:
    root = Path(shutil.copytree(ARCHIVES / "schema_2", tmp_path / "archive"))
    manifest = upgrade(root).manifest
    stale = TextCloseness(known="0" * 64, entities=("eosinophil",), sites=())
    path = ArchiveLayout(root).published() / "manifest.json"
    path.write_text(manifest_text(manifest.model_copy(update={"closeness": stale})))
    report = upgrade(root)
    assert report.upgraded
    assert report.manifest.closeness != stale
    assert not upgrade(root).upgraded


def test_an_upgrade_that_fails_changes_nothing_and_the_next_one_succeeds(
    root: Path, schema: int
) -> None:
    before = _bytes(root / "versions" / "000001")

    def fail(*_: object) -> None:
        raise OSError(28, "No space left on device", "vectors.faiss")

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("os.fsync", fail)
        refused = _upgrade(root, "--json")
    assert refused.exit_code == 2
    assert "No space left" in refused.stdout
    assert [path.name for path in (root / "versions").iterdir()] == ["000001"]
    assert _bytes(root / "versions" / "000001") == before
    assert upgrade(root).from_schema == schema


def test_an_upgrade_that_is_killed_changes_nothing_and_the_next_one_succeeds(
    tmp_path: Path,
) -> None:
    root = Path(shutil.copytree(ARCHIVES / "schema_2", tmp_path / "archive"))
    if (child := os.fork()) == 0:
        try:  # dies with the new version written, and not yet published
            version.publish = lambda *_: os.kill(os.getpid(), signal.SIGKILL)
            upgrade(root)
        finally:
            os._exit(1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == -signal.SIGKILL
    assert (root / "versions" / ".staging-000002" / "manifest.json").is_file()
    with open_archive(root) as archive:
        assert archive.version == "000001"
    assert upgrade(root).upgraded
    assert sorted(path.name for path in (root / "versions").iterdir()) == ["000001", "000002"]


def test_nothing_is_upgraded_while_a_build_runs(root: Path) -> None:
    with building(ArchiveLayout(root)):
        refused = _upgrade(root, "--json")
    assert "is being built" in refused.stdout
    assert [path.name for path in (root / "versions").iterdir()] == ["000001"]


def test_an_archive_with_a_changed_byte_is_not_upgraded(root: Path) -> None:
    (file,) = root.glob("*/*/vectors.faiss")
    data = bytearray(file.read_bytes())
    data[-1] ^= 1
    file.write_bytes(data)
    refused = _upgrade(root, "--json")
    assert "checksum" in refused.stdout


def test_what_is_no_archive_is_not_made_one(tmp_path: Path) -> None:
    refused = _upgrade(tmp_path / "none", "--json")
    assert refused.exit_code == 2
    assert list(tmp_path.iterdir()) == []
