"""The contact sheet: what was asked, the synthetic prototypes, and the nearest cases, on one page.

A reader must never take a drawn picture for a patient's: prototypes stand under their own banner,
and every picture that is not real has a coloured frame and says so.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from coin_retrieval.presenting.phrases import (
    BANNER,
    CAUTION,
    DEMONSTRATION_BANNER,
    FOOTER,
    NO_CLOSE_MATCH,
    closeness,
    repeats_words,
    share_words,
    shares_heading,
)
from coin_retrieval.presenting.sheet_page import GREY, INK, SYNTHETIC, WARNING, Page, Tile
from coin_retrieval.prototypes.prototype import Prototype
from coin_retrieval.search.result import SearchResult
from coin_retrieval.search.support import Support
from coin_retrieval.types import CaseMatch, ImageRecord, Origin, RgbImage, SearchMode

CASES_SHOWN = 40
_REPORT_LINES = 6
_SHARES_SHOWN = 6

_MODE_WORDS = {
    SearchMode.FUSED: "report text and prototypes together",
    SearchMode.PROTOTYPE: "prototypes",
    SearchMode.TEXT: "report text",
    SearchMode.IMAGE: "image",
}


def draw_sheet(
    result: SearchResult,
    *,
    prototype_image: Callable[[Prototype], RgbImage],
    case_image: Callable[[ImageRecord], RgbImage],
    query_image: RgbImage | None = None,
    demonstration: bool = False,
) -> RgbImage:
    """Draw the sheet of a search, uint8 [h 1480 3]; at most 40 cases, the rest is counted.

    Args:
        prototype_image: the picture of a prototype.
        case_image: the picture of an archive image; a thumbnail does.
        query_image: the picture that was searched with, if it was one.
        demonstration: the archive holds no patients' cells at all.

    Raises:
        ImageError: a picture that cannot be read.
    """
    page = Page()
    if demonstration:
        page.banner(DEMONSTRATION_BANNER)
    page.text("Nearest cases", 34)
    page.text(_subtitle(result), 18, GREY)
    page.space(14)
    if result.report:
        page.text(result.report, 22, limit=_REPORT_LINES)
    if result.dropped_text:
        page.text(f"Not read by any model: “{result.dropped_text}”", 18, SYNTHETIC, limit=2)
    if query_image is not None:
        page.tiles([Tile(query_image, None, [("the image searched with", 18, GREY)])])
    page.space(20)
    if result.prototypes:
        page.banner(BANNER)
        page.tiles([_prototype_tile(p, prototype_image(p)) for p in result.prototypes])
    if result.support is not None:
        _support(page, result.support)
    shown = result.cases[:CASES_SHOWN]
    page.heading(_cases_heading(result.cases))
    tiles = [
        _case_tile(rank, case, case_image(case.matches[0].image))
        for rank, case in enumerate(shown, start=1)
    ]
    page.tiles(tiles)
    if len(result.cases) > len(shown):
        page.text(f"… and {len(result.cases) - len(shown)} more", 18, GREY)
    page.rule()
    page.text(FOOTER, 18, GREY)
    return page.render()


def _support(page: Page, support: Support) -> None:
    """A warning where no case is close; then every diagnosis with its n and interval."""
    if support.close is False:
        page.banner(NO_CLOSE_MATCH, WARNING)
    page.text(closeness(support), 18, INK if support.close else GREY, limit=4)
    page.space(10)
    page.text(shares_heading(support), 20)
    for share in support.shares[:_SHARES_SHOWN]:
        page.text(share_words(share, support), 18)
    if len(support.shares) > _SHARES_SHOWN:
        page.text(f"… and {len(support.shares) - _SHARES_SHOWN} more diagnoses", 18, GREY)
    if support.shares:
        page.text(CAUTION, 17, GREY)
    page.space(18)


def _subtitle(result: SearchResult) -> str:
    count = len(result.cases)
    return f"{count} case{'' if count == 1 else 's'}, searched by {_MODE_WORDS[result.mode]}"


def _cases_heading(cases: Sequence[CaseMatch]) -> str:
    if not cases:
        return "No case of the archive fits the filter"
    origins = {case.matches[0].image.origin for case in cases}
    if origins == {Origin.REAL}:
        return "Real cases of the archive"
    if Origin.REAL in origins:
        return "Cases of the archive; framed ones are not real"
    return "Cases of the archive: none is real"


def _prototype_tile(prototype: Prototype, image: RgbImage) -> Tile:
    return Tile(image, "synthetic", [(f"seed {prototype.provenance.seed}", 17, GREY)])


def _case_tile(rank: int, match: CaseMatch, image: RgbImage) -> Tile:
    best = match.matches[0].image
    others = {m.image.diagnosis for m in match.matches} - {best.diagnosis, ""}
    caption = [
        (f"{rank}.  {best.diagnosis or 'no diagnosis given'}", 22, INK),
        (f"similarity {match.similarity:.3f}", 18, INK),
    ]
    if best.finding and best.finding.casefold() != best.diagnosis.casefold():
        caption.append((best.finding, 18, INK))
    if others:
        caption.append((f"also in this case: {', '.join(sorted(others))}", 17, INK))
    repeats = repeats_words([m.image.diagnosis for m in match.near_duplicates], best.diagnosis)
    if repeats:
        caption.append((repeats, 17, INK))
    details = [match.case.site, match.case.specimen, match.case.stain]
    caption.append((", ".join(filter(None, details)) or "site not given", 17, GREY))
    caption.append((f"case {match.case.case_id}", 17, GREY))
    return Tile(image, None if best.origin is Origin.REAL else best.origin.value, caption)
