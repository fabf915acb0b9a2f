from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from coin_retrieval.files import read_yaml
from coin_retrieval.reports.specimens import specimens

REPORTS: list[dict[str, Any]] = read_yaml(
    Path(__file__).parents[2] / "reference" / "several_specimens.yaml"
)


@pytest.mark.parametrize("given", REPORTS, ids=lambda given: given["report"][:40])
def test_a_report_falls_into_its_specimens(given: dict[str, Any]) -> None:
    found = specimens(given["report"])
    assert [one.name for one in found] == list(given["specimens"])


def test_what_is_concluded_by_the_same_labels_belongs_to_its_specimen() -> None:
    first, second = specimens(
        "History: tired. 1: Blood film. 2: CSF. Diagnosis: 1: monocytes. 2: lymphocytes."
    )
    assert first.text == "History: tired. Blood film. Diagnosis: monocytes."
    assert second.text == "History: tired. CSF. Diagnosis: lymphocytes."
