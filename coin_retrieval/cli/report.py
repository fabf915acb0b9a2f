"""``coin report``: what the program reads in a report, and from which words."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from coin_retrieval.console.errors import JsonOption
from coin_retrieval.errors import InputError

if TYPE_CHECKING:
    from rich.console import Console

    from coin_retrieval.reports.reading import Reading
    from coin_retrieval.reports.words import Span
    from coin_retrieval.types import DiagnosisCode

_STDIN = Path("-")

report_app = typer.Typer(
    help="What is read in a report, and from which words.", no_args_is_help=True
)


@report_app.callback()
def _group() -> None: ...


@report_app.command()
def read(
    report: Annotated[str | None, typer.Option(help="The report's text.")] = None,
    file: Annotated[
        Path | None, typer.Option(help="A file with the report; - reads standard input.")
    ] = None,
    fhir: Annotated[
        bool, typer.Option("--fhir", help="It is a FHIR R4 or R5 DiagnosticReport (JSON).")
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Site, procedure, conclusion and categories of a report; what was negated or doubted."""
    from coin_retrieval.console.inputs import read_at_most
    from coin_retrieval.reports.intake.fhir import MAX_BYTES, read_diagnostic_report
    from coin_retrieval.reports.normalise import MAX_CHARACTERS
    from coin_retrieval.reports.reading import read_closely

    if (report is None) == (file is None):
        raise InputError(
            "give the report once",
            value="--report and --file" if report is not None else "neither",
            expected="either --report TEXT or --file FILE",
        )
    # a byte more than there may be, so that the reader tells of a huge file without reading it all
    most = (MAX_BYTES if fhir else 4 * MAX_CHARACTERS) + 1
    content = report if report is not None else read_at_most(file or _STDIN, most)
    codings: tuple[DiagnosisCode, ...] = ()
    if fhir:
        resource = read_diagnostic_report(content)
        reading, codings = resource.reading, resource.codings
    else:
        reading = read_closely(content)
    if as_json:
        from coin_retrieval.console.session import print_json

        print_json(as_object(reading, codings))
        return
    from rich.console import Console

    show_reading(Console(), reading, codings)


def as_object(reading: Reading, codings: tuple[DiagnosisCode, ...] = ()) -> dict[str, Any]:
    """A reading, JSON-ready; places are characters of ``text``."""
    report = reading.report
    return {
        "text": report.text,
        "site": report.site,
        "site_phrase": _span(reading.site.span) if reading.site else None,
        "procedure": report.procedure,
        "procedure_phrase": _span(reading.procedure.span) if reading.procedure else None,
        "conclusion": report.conclusion,
        "findings": report.findings,
        "codes": [_code(code) for code in report.codes],
        "mentions": [
            _code(mention.code)
            | {
                "name": mention.name,
                "phrase": _span(mention.span),
                "assertion": mention.assertion.value,
                "cue": _span(mention.cue) if mention.cue else None,
                "coded": mention.coded,
            }
            for mention in reading.mentions
        ],
        "denied": [
            {
                "assertion": denied.assertion.value,
                "cue": _span(denied.cue),
                "words": _span(denied.words),
            }
            for denied in reading.denied
        ],
        "codings": [_code(code) for code in codings],
        "implied_site": reading.implied_site.name if reading.implied_site else "",
        "searched": reading.searched.text,
        "left_out": [
            _span(left.words)
            | {"because": left.because.value, "cue": _span(left.cue) if left.cue else None}
            for left in reading.searched.left_out
        ],
    }


def show_reading(
    console: Console, reading: Reading, codings: tuple[DiagnosisCode, ...] = ()
) -> None:
    """The parts of a report as a table, then its codes, then what is not meant as it stands."""
    from rich.markup import escape
    from rich.table import Table

    report = reading.report
    parts = Table(title="Read in the report", title_justify="left", show_header=False)
    parts.add_column(style="dim")
    parts.add_column(overflow="fold")
    for label, value, named in (
        ("site", report.site, reading.site),
        ("procedure", report.procedure, reading.procedure),
        ("conclusion", report.conclusion, None),
        ("findings", report.findings, None),
    ):
        words = f"  [dim]{escape(_shown(named.span))}[/]" if named else ""
        parts.add_row(label, (escape(value) or "[dim]not told[/]") + words)
    console.print(parts)
    codes = Table(title="Categories", title_justify="left")
    for column in ("system", "code", "category", "from", "counts"):
        codes.add_column(column, overflow="fold")
    for mention in reading.mentions:
        why = "yes" if mention.coded else f"no: {mention.assertion}"
        if mention.cue is not None:
            why += f" ({mention.cue.text})"
        elif not mention.coded:
            why = "no: the conclusion does, or it is history or advice"
        code = mention.code
        cells = (
            f"{code.system} {code.edition}",
            code.code,
            mention.name,
            _shown(mention.span),
            why,
        )
        codes.add_row(*map(escape, cells))
    for code in codings:
        cells = (f"{code.system} {code.edition}".strip(), code.code, "", "conclusionCode", "yes")
        codes.add_row(*map(escape, cells))
    console.print(codes if codes.row_count else "No category of a reporting system was read.")
    for denied in reading.denied:
        console.print(
            f"{denied.assertion}: {denied.cue.text} → {_shown(denied.words)}",
            markup=False,
            highlight=False,
            style="dim",
        )


def _shown(span: Span) -> str:
    return f'"{span.text}" {span.start}–{span.end}'


def _span(span: Span) -> dict[str, Any]:
    return {"text": span.text, "start": span.start, "end": span.end}


def _code(code: DiagnosisCode) -> dict[str, Any]:
    return {"system": code.system, "edition": code.edition, "code": code.code}
