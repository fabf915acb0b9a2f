from __future__ import annotations

from pathlib import Path

import pytest

from coin_retrieval.console.inputs import parse_where, report_text
from coin_retrieval.errors import FilterError, InputError, ReportError


def test_a_field_named_twice_allows_either_value() -> None:
    where = parse_where(["site=cervix", "stain=Papanicolaou", "site=urine"])
    assert where == {"site": ["cervix", "urine"], "stain": ["Papanicolaou"]}


def test_a_value_may_hold_an_equals_sign() -> None:
    assert parse_where(["finding=N/C=2"]) == {"finding": ["N/C=2"]}


@pytest.mark.parametrize("pair", ["site", "=cervix", "site=", "", " = "])
def test_what_is_not_field_equals_value_is_refused(pair: str) -> None:
    with pytest.raises(FilterError, match="FIELD=VALUE"):
        parse_where([pair])


def test_a_report_file_is_read_as_utf8(tmp_path: Path) -> None:
    file = tmp_path / "report.txt"
    file.write_bytes("Große Zellen.\n".encode())
    assert report_text(None, file) == "Große Zellen."


@pytest.mark.parametrize("both", [True, False])
def test_a_report_is_given_once(both: bool, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="once"):
        report_text("cells" if both else None, tmp_path if both else None)


def test_a_missing_report_file_is_told(tmp_path: Path) -> None:
    with pytest.raises(ReportError, match="cannot be read"):
        report_text(None, tmp_path / "absent.txt")


def test_an_enormous_report_file_is_refused_without_reading_it_all(tmp_path: Path) -> None:
    file = tmp_path / "huge.txt"
    with file.open("wb") as stream:
        stream.truncate(10 * 2**30)
    with pytest.raises(ReportError, match="too long"):
        report_text(None, file)
