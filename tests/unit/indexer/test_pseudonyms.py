from __future__ import annotations

import json
from pathlib import Path

import pytest
from tiny_archives import LABEL, build_archive, write_picture, write_table
from typer.testing import CliRunner

from coin_retrieval.archive import ArchiveLayout
from coin_retrieval.errors import InputError
from coin_retrieval.factory import open_archive
from coin_retrieval.named_settings import read_catalog, read_store
from coin_retrieval.testing.histogram_encoder import HistogramEncoder
from indexer import build, building
from indexer.cases.pseudonyms import read_key
from indexer.cli import app
from indexer.rows import read_sources

KEY = b"0123456789abcdef0123456789abcdef"


@pytest.fixture
def table(tmp_path: Path) -> Path:
    """Two cases of one patient, one of another; the third slide has the first patient's name."""
    rows = [
        {"case_id": "a", "patient_id": "Ute Muster", "slide_id": "S 1"},
        {"case_id": "b", "patient_id": "Ute Muster", "slide_id": "S 2"},
        {"case_id": "c", "patient_id": "Jo Doe", "slide_id": "Ute Muster"},
    ]
    for number, row in enumerate(rows):
        row["image_path"] = write_picture(tmp_path / f"{number}.png", seed=number).name
    return write_table(tmp_path / "cases.csv", rows)


def _identities(root: Path) -> tuple[list[str], list[str]]:
    with open_archive(root) as archive:
        cases = archive.catalog.cases("abc")
        slides = [archive.catalog.case_images(case)[0].slide_id for case in cases]
        return [case.patient_id for case in cases.values()], slides


def test_patients_and_slides_are_kept_and_can_be_filtered_by(table: Path, tmp_path: Path) -> None:
    build_archive(tmp_path / "archive", table)
    assert _identities(tmp_path / "archive")[0] == ["Ute Muster", "Ute Muster", "Jo Doe"]
    with open_archive(tmp_path / "archive") as archive:
        assert len(archive.catalog.select({"patient_id": ["ute muster"]})) == 2
        assert len(archive.catalog.select({"slide_id": ["S 2"]})) == 1


def test_a_table_without_them_has_no_such_field(tmp_path: Path) -> None:
    write_picture(tmp_path / "0.png", seed=0)
    plain = write_table(tmp_path / "p.csv", [{"image_path": "0.png", "case_id": "a"}])
    build_archive(tmp_path / "archive", plain)
    with open_archive(tmp_path / "archive") as archive:
        assert not {"patient_id", "slide_id"} & {*archive.catalog.fields()}


def test_pseudonyms_tell_patients_apart_and_name_nobody(table: Path) -> None:
    read = read_sources([table], archive=Path("x"), where={}, pseudonym_key=KEY)
    rows = [row.row for row in read]
    first, second, other = rows
    assert first.patient_id == second.patient_id != other.patient_id
    assert first.slide_id != second.slide_id
    assert other.slide_id != first.patient_id, "a slide's is not a patient's of the same name"
    assert "Ute" not in repr([(row.patient_id, row.slide_id) for row in rows])


def test_another_key_gives_other_pseudonyms(table: Path) -> None:
    one, other = (
        read_sources([table], archive=Path("x"), where={}, pseudonym_key=key)
        for key in (KEY, KEY[::-1])
    )
    assert next(iter(one)).row.patient_id != next(iter(other)).row.patient_id
    assert one.pseudonym_key != other.pseudonym_key


def test_a_filter_names_patients_as_the_sources_do(table: Path) -> None:
    where = {"patient_id": ["Jo Doe"]}
    assert len(read_sources([table], archive=Path("x"), where=where, pseudonym_key=KEY)) == 1


def test_no_file_of_the_archive_holds_a_name_or_the_key(table: Path, root: Path) -> None:
    rows = read_sources([table], archive=root, where={}, pseudonym_key=KEY)
    settings = building.BuildSettings(LABEL, read_store("flat"), 8, 2, read_catalog("sqlite"))
    building.build(root, rows, encoder=HistogramEncoder(), settings=settings, where={})
    folder = ArchiveLayout(root).published()
    held = b"".join(path.read_bytes() for path in root.rglob("*") if path.is_file())
    assert b"Ute" not in held
    assert KEY not in held
    manifest = json.loads((folder / "manifest.json").read_text())
    assert manifest["pseudonym_key"] == rows.pseudonym_key
    named = build_archive(root, table)
    assert any("--pseudonymise" in warning for warning in named.warnings)


def test_a_short_key_is_refused(table: Path, tmp_path: Path) -> None:
    file = tmp_path / "key"
    file.write_bytes(b"short\n")
    with pytest.raises(InputError, match="too short"):
        read_key(file)
    with pytest.raises(InputError, match="too short"):
        build(tmp_path / "archive", table, pseudonym_key=b"short")


def test_pseudonyms_without_a_key_are_refused_before_anything_is_written(
    table: Path, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("COIN_PSEUDONYM_KEY", raising=False)
    refused = CliRunner().invoke(app, ["build", str(root), str(table), "--pseudonymise", "--json"])
    assert refused.exit_code == 2
    assert "COIN_PSEUDONYM_KEY" in refused.stdout
    assert not root.exists()
