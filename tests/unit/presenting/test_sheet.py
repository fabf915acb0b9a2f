from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from plans import plan_of

from coin_retrieval.images.png import encode_png
from coin_retrieval.presenting.answering import to_answer
from coin_retrieval.presenting.sheet import AnswerPictures, draw_sheet
from coin_retrieval.prototypes.prototype import Prototype
from coin_retrieval.search.result import Scope, SearchResult
from coin_retrieval.types import (
    CaseMatch,
    CaseRecord,
    ImageId,
    ImageRecord,
    Match,
    Origin,
    Provenance,
    ReportSource,
    RgbImage,
    SearchMode,
)

FRAME = np.array([0xB4, 0x53, 0x09])
"""The colour that only what is not a patient's carries."""
GREEN = np.array([0, 255, 0])
BLUE = np.array([0, 0, 255])


def plain(colour: np.ndarray, height: int = 20, width: int = 20) -> RgbImage:
    return np.broadcast_to(colour, (height, width, 3)).astype(np.uint8)


def case(number: int, origin: Origin = Origin.REAL) -> CaseMatch:
    image = ImageRecord(
        ImageId(number), f"C{number}", "", "", 20, 20, "LSIL", "koilocytes", origin=origin
    )
    record = CaseRecord(f"C{number}", "cervix", "Pap smear", "Papanicolaou")
    return CaseMatch(record, 0.9, (Match(image, 0.9),))


def result(cases: int = 3, prototypes: int = 0, dropped_text: str = "") -> SearchResult:
    mode = SearchMode.PROTOTYPE if prototypes else SearchMode.TEXT
    return SearchResult(
        plan=plan_of("Koilocytes with halos.", mode=mode, dropped_text=dropped_text),
        mode=mode,
        prototypes=tuple(
            Prototype(str(s), Path(), Provenance("g", "w", ReportSource("p"), s, 1, 1.0, 20, 20))
            for s in range(prototypes)
        ),
        cases=tuple(case(i) for i in range(cases)),
        verdicts=(),
        variations=(),
        own=(),
        support=None,
        rivals=(),
        exact=True,
        scope=Scope(2, 2, None),
        notices=(),
        timings_ms={},
    )


def draw(shown: SearchResult, *, real: RgbImage | None = None, **options: bool) -> RgbImage:
    prototype = encode_png(plain(BLUE))
    case_picture = plain(GREEN) if real is None else real
    pictures = AnswerPictures(prototype=lambda _: prototype, case=lambda _: case_picture)
    return draw_sheet(to_answer(shown), pictures, **options)


def count(sheet: RgbImage, colour: np.ndarray) -> int:
    return int((sheet == colour).all(axis=2).sum())


def top_row(sheet: RgbImage, colour: np.ndarray) -> int:
    return int(np.flatnonzero((sheet == colour).all(axis=2).any(axis=1))[0])


def test_real_cases_carry_no_frame() -> None:
    sheet = draw(result())
    assert count(sheet, GREEN) > 3 * 200 * 200
    assert count(sheet, FRAME) == 0


def test_prototypes_stand_framed_above_the_cases() -> None:
    sheet = draw(result(prototypes=2))
    assert top_row(sheet, FRAME) < top_row(sheet, BLUE) < top_row(sheet, GREEN)


@pytest.mark.parametrize("origin", [Origin.GENERATED, Origin.TRANSLATED])
def test_a_drawn_picture_among_real_ones_is_framed(origin: Origin) -> None:
    shown = replace(result(), cases=(case(0), case(1, origin)))
    assert count(draw(shown), FRAME) > 1000


def test_a_demonstration_archive_says_so_before_all_else() -> None:
    sheet = draw(result(), demonstration=True)
    assert top_row(sheet, FRAME) < 60
    assert top_row(sheet, FRAME) < top_row(sheet, GREEN)


def test_text_that_no_model_read_is_told() -> None:
    told = draw(result(dropped_text="and the rest"))
    assert count(told, FRAME) > 0


def test_a_case_with_several_diagnoses_tells_them_all() -> None:
    single = case(0)
    further = Match(replace(single.matches[0].image, diagnosis="HSIL"), 0.5)
    mixed = replace(single, matches=(*single.matches, further))
    assert len(draw(replace(result(), cases=(mixed,)))) > len(
        draw(replace(result(), cases=(single,)))
    )


def test_pictures_are_shown_whole() -> None:
    banded = plain(GREEN, 20, 60).copy()
    banded[:, :3] = banded[:, -3:] = BLUE
    sheet = draw(result(cases=1), real=banded)
    columns = np.flatnonzero((sheet == BLUE).all(axis=2).any(axis=0))
    assert columns[-1] - columns[0] > 200


def test_an_empty_result_is_a_sheet_too() -> None:
    assert count(draw(result(cases=0)), GREEN) == 0


def test_a_long_result_shows_forty_and_counts_the_rest() -> None:
    assert len(draw(result(cases=200))) < 1.01 * len(draw(result(cases=41)))
