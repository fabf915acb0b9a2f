from __future__ import annotations

import json
import re
import sys
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from unit.server.ground import REPORT, disc

import coin_retrieval as coin
from coin_retrieval.errors import MissingDependencyError
from coin_retrieval.presenting.answer import SearchAnswer
from indexer import build

EVIL = "<script>alert(1)</script>\"'&"


class Tags(HTMLParser):
    """The elements of a page with their attributes, and its text."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.text += data

    def all(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.found if name == tag]


@pytest.fixture(scope="module")
def result(archive: coin.SearchableArchive) -> coin.Result:
    return archive.search(f"{REPORT} {EVIL}", prototypes=2, k=4)


def test_a_result_shows_itself_in_words_without_the_report(result: coin.Result) -> None:
    shown = repr(result)
    assert "4 cases, mode fused, 2 synthetic prototypes" in shown
    assert result.cases[0].case_id in shown
    assert "Bilobed" not in shown


def test_a_notebook_shows_every_picture_of_a_result_within_the_page(result: coin.Result) -> None:
    pictures = Tags(result._repr_html_()).all("img")
    assert len(pictures) == 2 + 4
    assert all(str(one["src"]).startswith("data:image/jpeg;base64,") for one in pictures)


def test_what_a_notebook_shows_is_small(result: coin.Result) -> None:
    assert len(result._repr_html_()) < 60_000


def test_prototypes_are_marked_in_caption_and_alternative_text(result: coin.Result) -> None:
    page = Tags(result._repr_html_())
    assert [one["alt"] for one in page.all("img")][:2] == [
        "SYNTHETIC prototype, seed 0: drawn by a model, no patient",
        "SYNTHETIC prototype, seed 1: drawn by a model, no patient",
    ]
    # the banner, and each caption
    assert page.text.count("SYNTHETIC") == 1 + 2


def test_real_cases_carry_no_mark(result: coin.Result) -> None:
    page = Tags(result._repr_html_())
    assert [one for one in page.all("figure") if one.get("class") == "drawn"] == [
        {"class": "drawn"}, {"class": "drawn"},
    ]  # fmt: skip
    assert "GENERATED" not in page.text


def test_a_report_with_markup_stays_text(result: coin.Result) -> None:
    page = Tags(result._repr_html_())
    assert not page.all("script")
    assert EVIL in page.text


def test_names_with_markup_stay_text(
    tmp_path: Path, encoder_name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    evil = f"x onerror=alert(2) {EVIL}"
    disc(1).save(tmp_path / "a.png")
    columns = ("image_path", "case_id", "site", "diagnosis", "finding", "stain", "specimen")
    quoted = [f'"{evil}"'.replace(EVIL, EVIL.replace('"', '""'))] * (len(columns) - 1)
    (tmp_path / "cases.csv").write_text(",".join(columns) + "\na.png," + ",".join(quoted) + "\n")
    build(tmp_path / "archive", tmp_path / "cases.csv", encoder=encoder_name)
    with coin.open(tmp_path / "archive", generator=None, cache=tmp_path) as archive:
        found = archive.search(REPORT, k=1)
    page = Tags(found._repr_html_() + found.cases[0].explain()._repr_html_())
    assert not page.all("script")
    assert not [one for _, one in page.found if "onerror" in one]
    assert page.text.count(EVIL) >= 4


def test_a_drawn_case_is_marked_and_is_no_evidence(tmp_path: Path, encoder_name: str) -> None:
    disc(1).save(tmp_path / "a.png")
    (tmp_path / "cases.csv").write_text("image_path,case_id,origin\na.png,A,generated\n")
    build(tmp_path / "archive", tmp_path / "cases.csv", encoder=encoder_name)
    with coin.open(tmp_path / "archive", generator=None, cache=tmp_path) as archive:
        page = Tags(archive.search(REPORT)._repr_html_())
    assert "GENERATED" in page.text
    assert "demonstration: no patients" in page.text
    assert "pictures that were drawn are no evidence" in page.text
    assert str(page.all("img")[0]["alt"]).startswith("GENERATED picture, no patient")


def test_an_empty_result_says_so(archive: coin.SearchableArchive) -> None:
    nothing = archive.search(REPORT, mode="text", where={"site": "brain"})
    assert "No case of the archive fits the filter" in nothing._repr_html_()
    assert len(nothing) == 0
    assert list(nothing.to_pandas().index) == []


def test_a_result_becomes_what_the_command_line_prints(result: coin.Result) -> None:
    assert SearchAnswer.model_validate(json.loads(json.dumps(result.to_dict()))) == result.answer


def test_a_result_becomes_a_table_with_a_row_a_case(result: coin.Result) -> None:
    table = result.to_pandas()
    assert list(table.index) == [1, 2, 3, 4]
    assert list(table["case_id"]) == [case.case_id for case in result.cases]
    assert {"diagnosis", "site", "similarity", "origin"} <= set(table.columns)


def test_without_pandas_the_remedy_names_the_extra(
    result: coin.Result, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "pandas", None)
    with pytest.raises(MissingDependencyError, match=r"coin-retrieval\[notebook\]"):
        result.to_pandas()


def test_a_result_becomes_a_sheet(result: coin.Result, tmp_path: Path) -> None:
    sheet = result.sheet()
    path = result.save(tmp_path / "saved")
    assert np.array_equal(np.asarray(sheet), np.asarray(Image.open(path).convert("RGB"))[..., :3])
    assert len(list((tmp_path / "saved" / "prototypes").iterdir())) == 2


def test_the_parts_of_an_explanation_add_up(result: coin.Result) -> None:
    for case in result.cases:
        why = case.explain()
        assert sum(part.share for part in why.parts) == pytest.approx(why.score, abs=1e-4)
        assert [part.kind for part in why.parts] == ["text", "prototype", "prototype"]


def test_an_explanation_shows_itself_and_marks_what_was_drawn(
    archive: coin.SearchableArchive,
) -> None:
    why = archive.search(REPORT, prototypes=1, k=1, explain=True).cases[0].explain()
    page = Tags(why._repr_html_())
    assert "SYNTHETIC" in page.text
    assert "rank by it alone" in page.text
    assert re.search(r"cosine -?\d\.\d{3}", repr(why))


def test_a_case_shows_its_picture(result: coin.Result) -> None:
    case = result.cases[0]
    assert max(case.thumbnail.size) <= 256
    assert repr(case).startswith(f"<case {case.case_id}: ")
    assert case.to_dict()["case_id"] == case.case_id


def test_the_picture_and_the_filter_that_were_asked_with_are_shown(
    archive: coin.SearchableArchive,
) -> None:
    found = archive.search(image=disc(3), where={"site": ["urine", "cervix"]}, k=1)
    page = Tags(found._repr_html_())
    assert page.all("img")[0]["alt"] == "The picture searched with"
    assert "Only site urine or cervix" in page.text
