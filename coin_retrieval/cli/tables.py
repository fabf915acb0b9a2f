"""What ``coin search`` and ``coin generate`` show to people."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from coin_retrieval.presenting.answer import (
    CaseAnswer,
    DrawingAnswer,
    PrototypeAnswer,
    QueryAnswer,
    RivalAnswer,
    SearchAnswer,
    ShareAnswer,
    SupportAnswer,
)
from coin_retrieval.presenting.explanation import explanation
from coin_retrieval.presenting.phrases import (
    BANNER,
    DEMONSTRATION_BANNER,
    FOOTER,
    NO_DIAGNOSIS,
    RIVALS_TITLE,
    STANDING_KEY,
    difference_words,
    near_words,
    percent,
    repeats_words,
    repetition_words,
)
from coin_retrieval.presenting.reading_answer import SiteAnswer
from coin_retrieval.presenting.summary import Sentence

REAL = "real"
_MANY_IMAGES = 1

_VALUES_SHOWN = 12
_DIFFERENCES_SHOWN = 4
_BAR_CHARACTERS = 21


def show_answer(
    console: Console,
    answer: SearchAnswer,
    *,
    values: Callable[[str], Mapping[str, int]],
    demonstration: bool,
    sheet: Path | None = None,
) -> None:
    """All that a reader is told of a search.

    Args:
        values: of a field of the archive, and how many images have each.
        demonstration: whether the archive has no patients.
        sheet: where the contact sheet was saved.
    """
    asked = answer.query.asked
    if asked.where and not answer.cases:
        show_no_match(console, asked.where, values)
    show_search(console, answer, demonstration=demonstration)
    if asked.explain:
        show_explanations(console, answer.cases)
    if sheet is not None:
        console.print(f"Contact sheet: {sheet}", soft_wrap=True, markup=False, highlight=False)


def show_search(console: Console, answer: SearchAnswer, *, demonstration: bool) -> None:
    """What matters most, then a table of the cases, then all else that a reader must know."""
    if demonstration:
        console.print(f"[bold yellow]{DEMONSTRATION_BANNER}[/]")
    for sentence in answer.summary:
        if sentence.level != "detail":
            show_sentence(console, sentence)
    if answer.query.site is not None and not answer.query.site.lacking:
        show_site(console, answer.query.site)
    table = Table(title=f"Nearest cases, mode {answer.query.mode}", title_justify="left")
    table.add_column("#", justify="right")
    table.add_column("closer than", justify="right")
    for name in ("diagnosis", "finding", "site", "case"):
        table.add_column(name, overflow="fold")
    for rank, case in enumerate(answer.cases, start=1):
        table.add_row(str(rank), near_words(case), *map(escape, _cells(case, answer.cases)))
    console.print(table)
    if any(case.standing is not None for case in answer.cases):
        console.print(STANDING_KEY, style="dim", highlight=False)
    if answer.support is not None:
        show_shares(console, answer.support)
    show_rivals(console, answer.rivals)
    if not demonstration and any(
        image.origin != REAL for case in answer.cases for image in case.images
    ):
        console.print("[bold yellow]Pictures marked generated or translated are no patient's.[/]")
    show_prototypes(console, answer.prototypes)
    show_searched(console, answer.query)
    show_spelling(console, answer.query)
    show_dropped(console, answer.query.dropped_text)
    for sentence in answer.summary:
        if sentence.level == "detail":
            show_sentence(console, sentence)
    show_timings(console, answer.timings_ms)
    console.print(FOOTER, style="dim")


def show_sentence(console: Console, sentence: Sentence) -> None:
    """One sentence of the summary, as loud as it weighs."""
    style = {"warning": "bold red", "note": "bold", "detail": "dim"}[sentence.level]
    console.print(sentence.text, style=style, markup=False, highlight=False, soft_wrap=True)


def show_rivals(console: Console, rivals: Sequence[RivalAnswer]) -> None:
    """What it looks like and is not, perhaps: each diagnosis, its nearest cases, what differs."""
    if not rivals:
        return
    table = Table(title=RIVALS_TITLE, title_justify="left")
    for name in ("diagnosis", "of the nearest", "its nearest cases", "differs from the first"):
        table.add_column(name, overflow="fold")
    for rival in rivals:
        table.add_row(
            escape(rival.diagnosis),
            str(rival.count) if rival.count else "none",
            escape("\n".join(f"{case.case_id} ({near_words(case)})" for case in rival.cases)),
            escape("\n".join(map(difference_words, rival.differs[:_DIFFERENCES_SHOWN]))),
        )
    console.print(table)


def show_explanations(console: Console, cases: Sequence[CaseAnswer]) -> None:
    """Below each case's nearest picture, what each part of the query brought to its score."""
    for place, case in enumerate(cases, start=1):
        console.print(f"{place}. {case.case_id}: ", end="", markup=False, highlight=False)
        console.print(explanation(case.images[0]), markup=False, highlight=False)


def show_shares(console: Console, support: SupportAnswer) -> None:
    """The shares of diagnoses with their n and intervals."""
    console.print(support.heading, highlight=False)
    if not support.shares:
        return
    table = Table()
    table.add_column("diagnosis", overflow="fold")
    for name in (f"{support.unit}s", "share", "95 % interval"):
        table.add_column(name, justify="right")
    table.add_column("0 % to 100 %")
    for share in support.shares:
        table.add_row(
            escape(share.diagnosis or NO_DIAGNOSIS),
            f"{share.count} of {support.counted}",
            percent(share.share),
            f"{percent(share.low)} to {percent(share.high)}",
            _bar(share),
        )
    console.print(table)
    console.print(support.caution, style="dim", highlight=False)


def show_no_match(
    console: Console, fields: Iterable[str], values: Callable[[str], Mapping[str, int]]
) -> None:
    """That nothing fits a filter, and what values its fields have in the archive."""
    console.print("[bold yellow]No image of the archive fits the filter.[/]")
    for field in fields:
        counts = values(field)
        known = ", ".join(f"{value} ({n})" for value, n in list(counts.items())[:_VALUES_SHOWN])
        more = f" and {len(counts) - _VALUES_SHOWN} more" if len(counts) > _VALUES_SHOWN else ""
        console.print(f"  {field} is one of: {known}{more}", markup=False, highlight=False)


def show_spelling(console: Console, query: QueryAnswer | DrawingAnswer) -> None:
    """Words that were read as others, and those that may be meant otherwise."""
    for one in query.corrections:
        console.print(f"Read as {one.text}: {one.written}", markup=False, highlight=False)
    for offer in query.offers:
        meant = " or ".join(offer.meant)
        console.print(
            f"Not changed: {offer.text}; {meant} may be meant.", markup=False, highlight=False
        )


def show_site(console: Console, site: SiteAnswer) -> None:
    """Where was searched, and how to search elsewhere."""
    ways = []
    if site.applied and site.how != "asked":
        ways.append("--all-sites searches all")
        if site.unspecified_images and not site.with_unspecified:
            ways.append("--unspecified-sites adds those")
    way = f" ({'; '.join(ways)})" if ways else ""
    console.print(f"{site.words}{way}", soft_wrap=True, markup=False, highlight=False)


def show_prototypes(console: Console, prototypes: Sequence[PrototypeAnswer]) -> None:
    """The banner that every prototype stands under, and their files."""
    if not prototypes:
        return
    console.print(f"[bold yellow]{BANNER}[/]")
    for prototype in prototypes:
        console.print(
            f"  seed {prototype.seed}: {prototype.path}",
            soft_wrap=True,
            markup=False,
            highlight=False,
        )


def show_searched(console: Console, query: QueryAnswer) -> None:
    """What of the report was searched, if not all, and why the rest was not."""
    if not query.left_out and query.searched == query.report:
        return
    console.print(f"[bold]Searched:[/] {escape(query.searched)}", highlight=False)
    for left in query.left_out:
        cue = f": {left.cue}" if left.cue and left.cue != left.text else ""
        told = f"({left.why}{cue})"
        console.print(f"[bold]Left out:[/] {escape(left.text)} {escape(told)}", highlight=False)


def show_dropped(console: Console, dropped_text: str) -> None:
    """A warning, if the end of the report was read by no model."""
    if dropped_text:
        console.print(
            f"[bold yellow]Not read by any model (the report is too long for it):[/] "
            f"{escape(dropped_text)}"
        )


def show_timings(console: Console, timings_ms: Mapping[str, float]) -> None:
    """One line of milliseconds by stage."""
    stages = " · ".join(f"{stage} {ms:.0f} ms" for stage, ms in timings_ms.items())
    console.print(stages, style="dim", highlight=False, soft_wrap=True)


def _bar(share: ShareAnswer) -> str:
    """A line from the interval's lower to its upper end, the share marked on it."""
    low, mark, high = (
        round(value * (_BAR_CHARACTERS - 1)) for value in (share.low, share.share, share.high)
    )
    line = " " * low + "─" * (high - low + 1) + " " * (_BAR_CHARACTERS - 1 - high)
    return f"{line[:mark]}●{line[mark + 1 :]}"


def _cells(case: CaseAnswer, cases: Sequence[CaseAnswer]) -> tuple[str, str, str, str]:
    others = sorted({*case.diagnoses} - {case.diagnosis, ""})
    diagnosis = case.diagnosis or "–"
    if others:
        diagnosis += f" (also {', '.join(others)})"
    if case.images[0].origin != REAL:
        diagnosis += f" [{case.images[0].origin}]"
    case_id = case.case_id
    if len(case.images) > _MANY_IMAGES:
        case_id += f" ({len(case.images)} images)"
    if case.near_duplicates:
        repeats = [repeat.diagnosis for repeat in case.near_duplicates]
        case_id += f"; {repeats_words(repeats, case.diagnosis)}"
    if case.repeats:
        case_id += f"; {repetition_words(case, cases)}"
    return diagnosis, case.finding or "–", case.site or "–", case_id
