"""Tables as people have them: read, or refused with the line."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from openpyxl import Workbook

from coin_retrieval.errors import CaseTableError
from coin_retrieval.tables.cases import CaseRow, read_case_table
from coin_retrieval.tables.files import form_of

HEADER = "image_path,case_id,report,diagnosis\n"


def _read(path: Path, **columns: str) -> list[CaseRow]:
    return list(read_case_table(path, columns))


def _csv(tmp_path: Path, text: str, coding: str = "utf-8") -> Path:
    path = tmp_path / "cases.csv"
    path.write_bytes(text.encode(coding))
    return path


@pytest.mark.parametrize("separator", [",", ";", "\t", "|"])
@pytest.mark.parametrize("coding", ["utf-8", "utf-8-sig", "utf-16", "cp1252"])
@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_separators_codings_and_line_ends_are_recognised(
    tmp_path: Path, separator: str, coding: str, end: str
) -> None:
    lines = ["image_path,case_id,stain", "a.png,c1,May-Grünwald", "b.png,c2,Pap"]
    text = end.join(line.replace(",", separator) for line in lines)
    path = _csv(tmp_path, text, coding)
    assert [(row.case_id, row.stain) for row in _read(path)] == [
        ("c1", "May-Grünwald"), ("c2", "Pap"),
    ]  # fmt: skip
    notes = form_of(path).notes
    assert any("separated by" in note for note in notes) == (separator != ",")
    assert any("read as " in note and "separated" not in note for note in notes) == (
        coding in ("utf-16", "cp1252")
    )


def test_a_report_may_have_lines_commas_and_quotes(tmp_path: Path) -> None:
    path = _csv(tmp_path, HEADER + 'a.png,c1,"Koilocytes,\n""LSIL"".",LSIL\nb.png,c2,,\n')
    first, second = _read(path)
    assert first.report == 'Koilocytes,\n"LSIL".'
    assert (first.diagnosis, second.case_id) == ("LSIL", "c2")


@pytest.mark.parametrize(
    ("body", "line", "problem"),
    [
        ('a.png,c1,"open,LSIL\nb.png,c2,x,y\n', 2, "never closed"),
        ('a.png,c1,x,y\nb.png,c2,"open,LSIL\nc.png,c3,"x",y\n', 3, "never closed"),
        ("a.png,c1,x,y\nb.png,c2,Koilocytes, few,LSIL\n", 3, "more fields than columns"),
        ("a.png,c1,x,y\n,c2,x,y\n", 3, "image_path is empty"),
        ("a.png,c1,x,y\n\n\nb.png,,x,y\n", 5, "case_id is empty"),
        ('a.png,c1,"two\nlines",y\nb.png,,x,y\n', 4, "case_id is empty"),
    ],
)
def test_what_cannot_be_meant_is_an_error_with_its_line(
    tmp_path: Path, body: str, line: int, problem: str
) -> None:
    with pytest.raises(CaseTableError, match=f"line {line}: .*") as refused:
        _read(_csv(tmp_path, HEADER + body))
    assert problem in str(refused.value)


def test_a_column_that_comes_twice_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(CaseTableError, match=r"comes twice.*site"):
        _read(_csv(tmp_path, "image_path,case_id,site,site\na.png,c,x,y\n"))


def test_values_below_no_column_are_an_error_and_empty_ones_are_not(tmp_path: Path) -> None:
    assert len(_read(_csv(tmp_path, "image_path,case_id,,\na.png,c,,\n"))) == 1
    with pytest.raises(CaseTableError, match="more fields"):
        _read(_csv(tmp_path, "image_path,case_id,,\na.png,c,x,\n"))


def test_columns_are_called_what_the_mapping_says(tmp_path: Path) -> None:
    path = _csv(tmp_path, "File,Case no,Final Dx,Ward\na.png,c1,LSIL,3\n")
    columns = {"image_path": "File", "case_id": "Case no", "diagnosis": "Final Dx"}
    (row,) = _read(path, **columns)
    assert (row.case_id, row.diagnosis, row.attributes) == ("c1", "LSIL", {"Ward": "3"})
    with pytest.raises(CaseTableError, match="no column for site"):
        _read(path, **columns, site="Organ")


def test_a_mapping_that_would_hide_a_column_is_refused(tmp_path: Path) -> None:
    path = _csv(tmp_path, HEADER + "a.png,c,x,y\n")
    with pytest.raises(CaseTableError, match="has a column diagnosis already"):
        _read(path, diagnosis="report")


def test_a_workbook_is_read_by_its_first_sheet(tmp_path: Path) -> None:
    book = Workbook()
    for row in (["image_path", "case_id", "mpp_um", "Ward"], ["a.png", 17, 0.25, None], []):
        book.active.append(row)
    book.active.append(["b.png", "c2", None, 3.0])
    book.create_sheet("other").append(["x"])
    book.save(tmp_path / "cases.xlsx")
    first, second = _read(tmp_path / "cases.xlsx")
    assert (first.case_id, first.mpp_um, first.attributes) == ("17", 0.25, {})
    assert (second.case_id, second.attributes) == ("c2", {"Ward": "3"})


def test_json_lines_are_read_and_a_bad_one_is_named(tmp_path: Path) -> None:
    path = tmp_path / "cases.jsonl"
    rows = [{"image_path": "a.png", "case_id": "c1", "site": "cervix", "mpp_um": 0.5}]
    path.write_text("\n".join(map(json.dumps, rows)) + "\n\n")
    (row,) = _read(path)
    assert (row.case_id, row.site, row.mpp_um) == ("c1", "cervix", 0.5)
    for bad in ("{", "[1]", '"x"', '{"image_path": "b.png", "case_id": "c", "case_id": "d"}'):
        path.write_text(json.dumps(rows[0]) + "\n" + bad + "\n")
        with pytest.raises(CaseTableError, match="line 2: "):
            _read(path)


@pytest.mark.parametrize("suffix", [".csv", ".xlsx", ".jsonl", ".parquet"])
@pytest.mark.parametrize(
    "content", [b"", b"\0\0\0\0", b"PK\3\4 no workbook", b"\xff\xfe\0", bytes(range(256)) * 20]
)
def test_a_file_that_is_none_is_an_error_and_no_traceback(
    tmp_path: Path, suffix: str, content: bytes
) -> None:
    path = tmp_path / f"cases{suffix}"
    path.write_bytes(content)
    with pytest.raises(CaseTableError):
        _read(path)
