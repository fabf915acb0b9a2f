"""``coin report read``."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from coin_retrieval.cli.main import app

TEXT = "(Cervix) Koilocytes, no HSIL. LSIL."


def run(*arguments: str, stdin: str | None = None) -> tuple[int, str]:
    result = CliRunner().invoke(
        app, ["report", "read", *arguments], input=stdin, env={"COLUMNS": "150"}
    )
    return result.exit_code, result.stdout


def test_the_table_shows_parts_codes_phrases_and_what_was_negated() -> None:
    code, shown = run("--report", TEXT)
    assert code == 0
    lines = shown.splitlines()
    assert any("site" in line and "cervix" in line and '"Cervix" 1–7' in line for line in lines)
    assert any("LSIL" in line and '"LSIL" 30–34' in line and "yes" in line for line in lines)
    assert any("HSIL" in line and "no: negated (no)" in line for line in lines)
    assert 'negated: no → "HSIL" 24–28' in lines


def test_json_gives_every_part_with_its_place() -> None:
    code, shown = run("--report", TEXT, "--json")
    read = json.loads(shown)
    assert code == 0
    assert (read["site"], read["conclusion"]) == ("cervix", "LSIL.")
    assert read["codes"] == [{"system": "Bethesda cervix", "edition": "2014", "code": "LSIL"}]
    assert read["implied_site"] == ""
    assert "HSIL" not in read["searched"]
    assert "negated" in [part["because"] for part in read["left_out"]]
    for mention in read["mentions"]:
        phrase = mention["phrase"]
        assert read["text"][phrase["start"] : phrase["end"]] == phrase["text"]
    assert [(m["code"], m["coded"], m["assertion"]) for m in read["mentions"]] == [
        ("HSIL", False, "negated"),
        ("LSIL", True, "affirmed"),
    ]


def test_what_is_not_told_is_said_to_be_so() -> None:
    _, shown = run("--report", "Some cells.")
    assert "not told" in shown
    assert "No category" in shown


def test_a_file_and_standard_input_are_read(tmp_path: Path) -> None:
    (tmp_path / "r.txt").write_text(TEXT)
    from_file = run("--file", str(tmp_path / "r.txt"), "--json")
    assert from_file == run("--report", TEXT, "--json")
    assert from_file == run("--file", "-", "--json", stdin=TEXT)


def test_a_fhir_file_is_read_with_its_codings(tmp_path: Path) -> None:
    coding = {"system": "http://snomed.info/sct", "code": "112662005"}
    raw = {
        "resourceType": "DiagnosticReport",
        "conclusion": TEXT,
        "conclusionCode": [{"coding": [coding]}],
    }
    (tmp_path / "r.json").write_text(json.dumps(raw))
    code, shown = run("--file", str(tmp_path / "r.json"), "--fhir", "--json")
    assert code == 0
    assert json.loads(shown)["codings"] == [coding | {"edition": ""}]
    assert "112662005" in run("--file", str(tmp_path / "r.json"), "--fhir")[1]


@pytest.mark.parametrize(
    ("arguments", "kind"),
    [
        ([], "InputError"),
        (["--report", "a", "--file", "b"], "InputError"),
        (["--file", "absent.txt"], "ReportError"),
        (["--report", ""], "ReportError"),
        (["--report", "cells", "--fhir"], "ReportError"),
        (["--report", '{"resourceType": "Bundle"}', "--fhir"], "ReportError"),
    ],
)
def test_bad_input_is_a_clear_error(arguments: list[str], kind: str) -> None:
    code, shown = run(*arguments, "--json")
    assert (code, json.loads(shown)["error"]["type"]) == (2, kind)
