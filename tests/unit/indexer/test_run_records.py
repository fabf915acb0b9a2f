from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from tiny_archives import build_archive, write_pictures

from coin_retrieval.config import OpenClipEncoderSettings
from coin_retrieval.errors import InputError
from indexer import run_records
from indexer.choices import choose_batch_size


def _records(root: Path) -> list[dict[str, Any]]:
    return [json.loads(path.read_text()) for path in sorted((root / "runs").glob("*.json"))]


def test_a_build_writes_down_what_it_did(tmp_path: Path) -> None:
    folder = write_pictures(tmp_path / "in", 12)
    (folder / "cell_003.png").write_bytes(b"no picture")
    report = build_archive(tmp_path / "archive", folder)
    (record,) = _records(tmp_path / "archive")
    assert (record["command"], record["version"], record["error"]) == ("build", "000001", None)
    assert (record["rows"], record["embedded"], record["skipped"]) == (12, 11, 1)
    assert [source["path"] for source in record["sources"]] == [str(folder)]
    assert record["elapsed_s"] >= record["encoding_s"] > 0
    assert record["peak_memory_mb"] > 10
    assert report.run.model_dump(mode="json") == record


def test_what_stopped_a_build_is_written_down_and_names_no_case(tmp_path: Path) -> None:
    folder = write_pictures(tmp_path / "in", 3)
    for path in folder.iterdir():
        path.write_bytes(b"no picture")
    with pytest.raises(InputError):
        build_archive(tmp_path / "archive", folder)
    (record,) = _records(tmp_path / "archive")
    assert record["version"] is None
    assert record["error"] == "InputError: no picture could be read"
    assert "cell_" not in json.dumps(record)


def test_that_it_cannot_be_written_down_stops_nothing(root: Path, tmp_path: Path) -> None:
    folder = write_pictures(tmp_path / "in", 3)
    build_archive(root, folder)
    (next((root / "runs").iterdir())).unlink()
    (root / "runs").rmdir()
    (root / "runs").write_text("in the way")
    report = build_archive(root, folder)
    assert report.manifest.version == "000002"
    assert "could not be written down" in report.warnings[-1]


def test_the_newest_are_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(run_records, "KEPT", 2)
    folder = write_pictures(tmp_path / "in", 3)
    runs = tmp_path / "archive" / "runs"
    runs.mkdir(parents=True)
    for year in (2001, 2002):
        (runs / f"{year}-01-01T00-00-00Z.json").write_text("{}")
    (runs / "2003.json.1-2.partial").write_text("{")
    build_archive(tmp_path / "archive", folder)
    kept = sorted(path.name for path in runs.iterdir())
    assert kept[0] == "2002-01-01T00-00-00Z.json"
    assert len(kept) == 2


@pytest.mark.parametrize(("wanted", "chosen"), [("auto", 32), (7, 7)])
def test_a_batch_is_as_large_as_asked_for_or_as_the_device_wants(wanted: Any, chosen: int) -> None:
    assert choose_batch_size(wanted, OpenClipEncoderSettings(model="-", device="cpu")) == chosen
