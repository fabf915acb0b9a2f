"""What ``coin search`` and ``coin generate`` show to people."""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from coin_retrieval.catalog.base import Catalog, Where
from coin_retrieval.presenting.phrases import (
    CAUTION,
    NO_DIAGNOSIS,
    closeness,
    percent,
    repeats_words,
    shares_heading,
)
from coin_retrieval.presenting.sheet import BANNER, DEMONSTRATION_BANNER, FOOTER
from coin_retrieval.prototypes.prototype import Prototype
from coin_retrieval.reports.filters import suggest_where
from coin_retrieval.search.query import SearchResult
from coin_retrieval.search.support import DiagnosisShare, Support
from coin_retrieval.types import CaseMatch, Origin, Report

_MANY_IMAGES = 1

_VALUES_SHOWN = 12
_BAR_CHARACTERS = 21


def show_search(console: Console, result: SearchResult, *, demonstration: bool) -> None:
    """A table of the cases, and below it what a reader must know of them."""
    table = Table(title=f"Nearest cases, mode {result.mode}", title_justify="left")
    table.add_column("#", justify="right")
    table.add_column("similarity", justify="right")
    for name in ("diagnosis", "finding", "site", "case"):
        table.add_column(name, overflow="fold")
    for rank, case in enumerate(result.cases, start=1):
        table.add_row(str(rank), f"{case.similarity:.3f}", *map(escape, _cells(case)))
    if result.support is not None:
        show_closeness(console, result.support)
    console.print(table)
    if result.support is not None:
        show_shares(console, result.support)
    if demonstration:
        console.print(f"[bold yellow]{DEMONSTRATION_BANNER}[/]")
    elif any(m.image.origin is not Origin.REAL for case in result.cases for m in case.matches):
        console.print("[bold yellow]Pictures marked generated or translated are no patient's.[/]")
    show_prototypes(console, result.prototypes)
    show_dropped(console, result.dropped_text)
    for notice in result.notices:
        console.print(f"[bold yellow]Notice:[/] {escape(notice)}")
    show_timings(console, result.timings_ms)
    console.print(FOOTER, style="dim")


def show_closeness(console: Console, support: Support) -> None:
    """Whether any case is close: a warning stands before the cases."""
    style = "bold red" if support.close is False else "dim" if support.close is None else ""
    console.print(closeness(support), style=style, highlight=False)


def show_shares(console: Console, support: Support) -> None:
    """The shares of diagnoses with their n and intervals."""
    console.print(shares_heading(support), highlight=False)
    if not support.shares:
        return
    table = Table()
    table.add_column("diagnosis", overflow="fold")
    for name in ("cases", "share", "95 % interval"):
        table.add_column(name, justify="right")
    table.add_column("0 % to 100 %")
    for share in support.shares:
        table.add_row(
            escape(share.diagnosis or NO_DIAGNOSIS),
            f"{share.cases} of {support.cases}",
            percent(share.share),
            f"{percent(share.low)} to {percent(share.high)}",
            _bar(share),
        )
    console.print(table)
    console.print(CAUTION, style="dim", highlight=False)


def show_no_match(console: Console, catalog: Catalog, where: Where) -> None:
    """That nothing fits a filter, and what its fields have."""
    console.print("[bold yellow]No image of the archive fits the filter.[/]")
    for field in where:
        counts = catalog.values(field)
        known = ", ".join(f"{value} ({n})" for value, n in list(counts.items())[:_VALUES_SHOWN])
        more = f" and {len(counts) - _VALUES_SHOWN} more" if len(counts) > _VALUES_SHOWN else ""
        console.print(f"  {field} is one of: {known}{more}", markup=False, highlight=False)


def show_site_hint(console: Console, report: Report, catalog: Catalog) -> None:
    """One line that offers the report's site as a filter, in the archive's own words for it."""
    if not report.site:
        return
    offered = suggest_where(report, known=catalog.values("site"))
    filters = " ".join(
        f"--where {shlex.quote(f'{field}={value}')}"
        for field, values in offered.items()
        for value in values
    )
    hint = f"add {filters} to search only there" if filters else "no case of the archive has it"
    console.print(
        f"Site recognised: {report.site}; {hint}.", soft_wrap=True, markup=False, highlight=False
    )


def show_prototypes(console: Console, prototypes: Sequence[Prototype]) -> None:
    """The banner that every prototype stands under, and their files."""
    if not prototypes:
        return
    console.print(f"[bold yellow]{BANNER}[/]")
    for prototype in prototypes:
        console.print(
            f"  seed {prototype.provenance.seed}: {prototype.path}",
            soft_wrap=True,
            markup=False,
            highlight=False,
        )


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


def _bar(share: DiagnosisShare) -> str:
    """A line from the interval's lower to its upper end, the share marked on it."""
    low, mark, high = (
        round(value * (_BAR_CHARACTERS - 1)) for value in (share.low, share.share, share.high)
    )
    line = " " * low + "─" * (high - low + 1) + " " * (_BAR_CHARACTERS - 1 - high)
    return f"{line[:mark]}●{line[mark + 1 :]}"


def _cells(match: CaseMatch) -> tuple[str, str, str, str]:
    best = match.matches[0].image
    others = sorted({m.image.diagnosis for m in match.matches} - {best.diagnosis, ""})
    diagnosis = best.diagnosis or "–"
    if others:
        diagnosis += f" (also {', '.join(others)})"
    if best.origin is not Origin.REAL:
        diagnosis += f" [{best.origin}]"
    case_id = match.case.case_id
    if len(match.matches) > _MANY_IMAGES:
        case_id += f" ({len(match.matches)} images)"
    if match.near_duplicates:
        case_id += f"; {repeats_words(match.near_duplicates, best.diagnosis)}"
    return diagnosis, best.finding or "–", match.case.site or "–", case_id
