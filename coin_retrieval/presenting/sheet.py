"""The contact sheet: what was asked, the synthetic prototypes, and the nearest cases, on one page.

A reader must never take a drawn picture for a patient's: prototypes stand under their own banner,
and every picture that is not real has a coloured frame and says so.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from coin_retrieval.images.decoding import decode_image
from coin_retrieval.presenting.answer import (
    CaseAnswer,
    ImageAnswer,
    PrototypeAnswer,
    SearchAnswer,
    SupportAnswer,
)
from coin_retrieval.presenting.phrases import (
    BANNER,
    DEMONSTRATION_BANNER,
    FOOTER,
    refused_words,
    repeats_words,
    share_words,
    standing_words,
)
from coin_retrieval.presenting.sheet_page import GREY, INK, SYNTHETIC, WARNING, Page, Tile
from coin_retrieval.types import Origin, RgbImage, SearchMode

CASES_SHOWN = 40
_REPORT_LINES = 6
_SHARES_SHOWN = 6

_MODE_WORDS: dict[str, str] = {
    SearchMode.FUSED: "report text and prototypes together",
    SearchMode.PROTOTYPE: "prototypes",
    SearchMode.TEXT: "report text",
    SearchMode.IMAGE: "image",
}


@dataclass(frozen=True, slots=True)
class AnswerPictures:
    """Where the pictures of an answer come from: files of this machine, or a server.

    ``prototype`` gives a prototype's file, ``case`` the picture of an archive image (a thumbnail
    does); ``query`` is the picture that was searched with, if it was one.
    """

    prototype: Callable[[PrototypeAnswer], bytes]
    case: Callable[[ImageAnswer], RgbImage]
    query: RgbImage | None = None


def draw_sheet(
    answer: SearchAnswer, pictures: AnswerPictures, *, demonstration: bool = False
) -> RgbImage:
    """Draw the sheet of a search, uint8 [h 1480 3]; at most 40 cases, the rest is counted.

    Args:
        demonstration: the archive holds no patients' cells at all.

    Raises:
        ImageError: a picture that cannot be read.
    """
    page = Page()
    if demonstration:
        page.banner(DEMONSTRATION_BANNER)
    page.text("Nearest cases", 34)
    page.text(_subtitle(answer), 18, GREY)
    page.space(14)
    query = answer.query
    if query.report:
        page.text(query.report, 22, limit=_REPORT_LINES)
    if query.dropped_text:
        page.text(f"Not read by any model: “{query.dropped_text}”", 18, SYNTHETIC, limit=2)
    if pictures.query is not None:
        made = "synthetic" if answer.searched_with is not None else None
        page.tiles([Tile(pictures.query, made, [("the image searched with", 18, GREY)])])
    page.space(20)
    if answer.prototypes:
        page.banner(BANNER)
        page.tiles([_prototype_tile(one, pictures) for one in answer.prototypes])
    for sentence in answer.summary:
        if sentence.level == "warning":
            page.banner(sentence.text, WARNING)
        else:
            page.text(sentence.text, 18, INK if sentence.level == "note" else GREY, limit=4)
    page.space(10)
    if answer.support is not None:
        _support(page, answer.support)
    shown = answer.cases[:CASES_SHOWN]
    page.heading(_cases_heading(answer.cases))
    tiles = [
        _case_tile(rank, case, pictures.case(case.images[0]))
        for rank, case in enumerate(shown, start=1)
    ]
    page.tiles(tiles)
    if len(answer.cases) > len(shown):
        page.text(f"… and {len(answer.cases) - len(shown)} more", 18, GREY)
    page.rule()
    page.text(FOOTER, 18, GREY)
    return page.render()


def _support(page: Page, support: SupportAnswer) -> None:
    """Every diagnosis with its n and interval."""
    page.text(support.heading, 20)
    for share in support.shares[:_SHARES_SHOWN]:
        page.text(share_words(share, support), 18)
    if len(support.shares) > _SHARES_SHOWN:
        page.text(f"… and {len(support.shares) - _SHARES_SHOWN} more diagnoses", 18, GREY)
    if support.shares:
        page.text(support.caution, 17, GREY)
    page.space(18)


def _subtitle(answer: SearchAnswer) -> str:
    count, words = len(answer.cases), _MODE_WORDS[answer.query.mode]
    return f"{count} case{'' if count == 1 else 's'}, searched by {words}"


def _cases_heading(cases: Sequence[CaseAnswer]) -> str:
    if not cases:
        return "No case of the archive fits the filter"
    origins = {case.images[0].origin for case in cases}
    if origins == {Origin.REAL}:
        return "Real cases of the archive"
    if Origin.REAL in origins:
        return "Cases of the archive; framed ones are not real"
    return "Cases of the archive: none is real"


def _prototype_tile(prototype: PrototypeAnswer, pictures: AnswerPictures) -> Tile:
    image = decode_image(pictures.prototype(prototype), name="the prototype")
    caption = [(f"seed {prototype.seed}", 17, GREY)]
    if prototype.passed is False:
        caption.insert(0, (refused_words(prototype), 17, WARNING))
    return Tile(image, "synthetic", caption)


def _case_tile(rank: int, case: CaseAnswer, image: RgbImage) -> Tile:
    others = {*case.diagnoses} - {case.diagnosis, ""}
    caption = [
        (f"{rank}.  {case.diagnosis or 'no diagnosis given'}", 22, INK),
        (standing_words(case), 18, INK),
    ]
    if case.finding and case.finding.casefold() != case.diagnosis.casefold():
        caption.append((case.finding, 18, INK))
    if others:
        caption.append((f"also in this case: {', '.join(sorted(others))}", 17, INK))
    repeats = repeats_words([one.diagnosis for one in case.near_duplicates], case.diagnosis)
    if repeats:
        caption.append((repeats, 17, INK))
    details = [case.site, case.specimen, case.stain]
    caption.append((", ".join(filter(None, details)) or "site not given", 17, GREY))
    caption.append((f"case {case.case_id}", 17, GREY))
    origin = case.images[0].origin
    return Tile(image, None if origin == Origin.REAL else origin, caption)
