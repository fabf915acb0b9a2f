from __future__ import annotations

import os
from pathlib import Path

import pytest
from tiny_archives import write_picture, write_pictures, write_table

from coin_retrieval.errors import CaseTableError, FilterError, InputError
from coin_retrieval.tables.cases import CaseRow
from indexer.rows import SourceRows, read_sources


def _rows(*paths: Path, **where: list[str]) -> list[CaseRow]:
    return [row.row for row in _read(*paths, **where)]


def _read(*paths: Path, archive: Path = Path("archive"), **where: list[str]) -> SourceRows:
    return read_sources(paths, archive=archive, where=where)


def test_each_picture_of_a_folder_is_a_case_named_by_its_place(tmp_path: Path) -> None:
    for name in ("b/2.png", "b/1.jpg", "a.tif"):
        write_picture(tmp_path / name, seed=1)
    assert [row.case_id for row in _rows(tmp_path)] == ["a", "b/1", "b/2"]


def test_files_that_differ_only_in_their_suffix_are_two_cases(tmp_path: Path) -> None:
    for name in ("cell.png", "cell.jpg", "other.png"):
        write_picture(tmp_path / name, seed=1)
    assert [row.case_id for row in _rows(tmp_path)] == ["cell.jpg", "cell.png", "other"]


def test_hidden_and_other_files_are_left_out(tmp_path: Path) -> None:
    write_picture(tmp_path / "cell.PNG", seed=1)
    write_picture(tmp_path / "._cell.png", seed=1)
    write_picture(tmp_path / ".trash" / "old.png", seed=1)
    (tmp_path / "notes.txt").write_text("…")
    assert [row.case_id for row in _rows(tmp_path)] == ["cell"]


def test_a_file_name_that_is_no_utf8_becomes_a_printable_case(tmp_path: Path) -> None:
    plain = write_picture(tmp_path / "a.png", seed=1)
    odd = os.fsencode(tmp_path) + b"/z\xff.png"
    Path(os.fsdecode(odd)).write_bytes(plain.read_bytes())
    assert [row.case_id for row in _rows(tmp_path)] == ["a", "z\\xff"]


def test_folders_that_link_to_each_other_do_not_go_round_for_ever(tmp_path: Path) -> None:
    write_picture(tmp_path / "in" / "cell.png", seed=1)
    (tmp_path / "in" / "loop").symlink_to(tmp_path / "in")
    assert len(_rows(tmp_path / "in")) == 1


def test_two_folders_with_the_same_file_names_are_refused(tmp_path: Path) -> None:
    one = write_pictures(tmp_path / "one", 2)
    other = write_pictures(tmp_path / "other", 2, first_seed=50)
    with pytest.raises(InputError, match="write a manifest"):
        _read(one, other)


def test_two_manifests_may_share_a_case(tmp_path: Path) -> None:
    tables = [
        write_table(tmp_path / f"{n}.csv", [{"image_path": f"{n}.png", "case_id": "c"}])
        for n in range(2)
    ]
    assert [row.case_id for row in _rows(*tables)] == ["c", "c"]


def test_image_paths_are_relative_to_their_manifest_or_absolute(tmp_path: Path) -> None:
    rows = [{"image_path": name, "case_id": "c"} for name in ("a.png", "../b.png", "/x/c.png")]
    found = _rows(write_table(tmp_path / "in" / "cases.csv", rows))
    assert [row.image_path for row in found] == [
        tmp_path / "in" / "a.png",
        tmp_path / "in" / ".." / "b.png",
        Path("/x/c.png"),
    ]


def test_an_unknown_origin_is_refused(tmp_path: Path) -> None:
    rows = [{"image_path": "a.png", "case_id": "c", "origin": "fake"}]
    with pytest.raises(CaseTableError, match="fake"):
        _read(write_table(tmp_path / "cases.csv", rows))


def test_a_case_id_with_control_characters_is_refused(tmp_path: Path) -> None:
    rows = [{"image_path": "a.png", "case_id": "c\x07"}]
    with pytest.raises(CaseTableError, match="control characters"):
        _read(write_table(tmp_path / "cases.csv", rows))


def test_where_compares_whole_values_without_regard_to_case(tmp_path: Path) -> None:
    rows = [
        {"image_path": f"{n}.png", "case_id": str(n), "site": site, "batch": batch}
        for n, (site, batch) in enumerate([("Cervix", "1"), ("cervix uteri", "1"), ("Urine", "2")])
    ]
    table = write_table(tmp_path / "cases.csv", rows)
    assert [row.case_id for row in _rows(table, site=["CERVIX", "urine"])] == ["0", "2"]
    assert [row.case_id for row in _rows(table, site=["cervix"], batch=["1"])] == ["0"]


def test_where_on_a_field_that_no_source_has_is_refused(tmp_path: Path) -> None:
    table = write_table(tmp_path / "cases.csv", [{"image_path": "a.png", "case_id": "c"}])
    with pytest.raises(FilterError, match="organ"):
        _read(table, organ=["cervix"])


def test_sources_without_a_single_row_are_refused(tmp_path: Path) -> None:
    table = write_table(tmp_path / "cases.csv", [{"image_path": "a.png", "case_id": "c"}])
    with pytest.raises(InputError, match="no pictures"):
        _read(table, site=["nowhere"])


def test_each_source_is_recorded_with_its_rows_and_digest(tmp_path: Path) -> None:
    folder = write_pictures(tmp_path / "in", 3)
    table = write_table(tmp_path / "cases.csv", [{"image_path": "in/x.png", "case_id": "c"}])
    entries = _read(folder, table).sources
    assert [(entry.kind, entry.rows) for entry in entries] == [("folder", 3), ("table", 1)]
    assert entries[0].sha256 is None
    assert len(str(entries[1].sha256)) == 64


def test_a_recorded_source_has_no_way_up_in_its_path(tmp_path: Path) -> None:
    folder = write_pictures(tmp_path / "in", 1)
    table = write_table(tmp_path / "cases.csv", [{"image_path": "in/x.png", "case_id": "c"}])
    sources = _read(folder / ".." / "in", folder / ".." / table.name).sources
    assert [entry.path for entry in sources] == [str(folder), str(table)]
