"""The standard terms, and that the reader of reports reads them as what they are."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from coin_retrieval.errors import SettingsError
from coin_retrieval.generation.pipeline_files import READER
from coin_retrieval.nets.reader import ConceptReader
from coin_retrieval.reports.plain import read_report
from coin_retrieval.reports.terminology import load_terminologies
from coin_retrieval.reports.terms import known_terms, load_terms
from coin_retrieval.starter import GENERATOR
from coin_retrieval.wordings.captions import load_lexicon

BETHESDA = load_terms("bethesda")


def test_the_program_comes_with_terms_of_the_cervix_and_of_blood() -> None:
    assert known_terms() == ("bethesda", "blood")


def test_every_category_of_bethesda_that_can_be_drawn_has_its_term() -> None:
    (system,) = (t for t in load_terminologies() if t.system == BETHESDA.system)
    assert (BETHESDA.edition, BETHESDA.source) == (system.edition, system.source)
    drawable = [category.code for category in system.categories if category.code != "UNSAT"]
    assert sorted(term.code for term in BETHESDA.terms) == sorted(drawable)


@pytest.mark.parametrize(
    ("wording", "code"), [(w, term.code) for term in BETHESDA.terms for w in term.wordings]
)
def test_every_wording_is_read_as_its_category(wording: str, code: str) -> None:
    assert [found.code for found in read_report(f"Cervical smear. {wording}.").codes] == [code]


def test_the_cells_of_blood_are_the_findings_of_blood_that_the_starter_draws() -> None:
    findings = load_lexicon().findings
    drawn = ConceptReader.load(GENERATOR / READER).config.groups["finding"]
    blood = {name for name in drawn if findings[name].site == "peripheral blood"}
    assert {term.code for term in load_terms("blood").terms} == blood


def test_terms_of_ones_own_come_from_a_file(tmp_path: Path) -> None:
    path = tmp_path / "mine.yaml"
    mine = {"system": "M", "edition": "1", "source": "A book of terms, 2024.", "terms": []}
    path.write_text(yaml.safe_dump(mine | {"terms": [{"code": "x", "name": "X cell"}]}))
    assert [term.wordings for term in load_terms(str(path)).terms] == [("X cell",)]
    doubled = [{"code": "x", "name": "X"}, {"code": "y", "name": "Y", "synonyms": ["X"]}]
    path.write_text(yaml.safe_dump(mine | {"terms": doubled}))
    with pytest.raises(SettingsError, match="twice the wording X"):
        load_terms(str(path))
    with pytest.raises(SettingsError, match="no such terms"):
        load_terms("moon")
