"""``coin evaluate``: how good is it, on your own cases?"""

from __future__ import annotations

import csv
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from coin_retrieval.cli.errors import JsonOption
from coin_retrieval.errors import CaseTableError

if TYPE_CHECKING:
    from coin_retrieval.evaluation.retrieval import LabelledReport, RetrievalFigures

evaluate_app = typer.Typer(help="How good is it, on your own cases?", no_args_is_help=True)


@evaluate_app.callback()
def _group() -> None: ...


@evaluate_app.command()
def retrieval(
    archive: Annotated[Path, typer.Argument(help="An archive that coin-index built.")],
    queries: Annotated[
        Path | None,
        typer.Option(help="CSV: report, and the label's column. Default: the held-out wordings."),
    ] = None,
    where: Annotated[
        list[str] | None, typer.Option(help="FIELD=VALUE, repeatable: search only these.")
    ] = None,
    by: Annotated[str, typer.Option(help="The label: finding or diagnosis.")] = "finding",
    modes: Annotated[
        str, typer.Option(help="Comma-separated: text, prototype, fused, image.")
    ] = "image,text,prototype,fused",
    k: Annotated[int, typer.Option("-k", min=1, help="How many places count.")] = 10,
    prototypes: Annotated[int, typer.Option(min=1, help="Pictures drawn a report.")] = 4,
    seed: Annotated[int, typer.Option(help="Of the first picture.")] = 0,
    out: Annotated[Path | None, typer.Option(help="Directory for figures.json and .md.")] = None,
    as_json: JsonOption = False,
) -> None:
    """Precision at k by class, of every query mode, with 95 % intervals."""
    from rich.progress import track

    from coin_retrieval.cli.inputs import parse_where
    from coin_retrieval.cli.session import print_json
    from coin_retrieval.cli.settings import read_environment
    from coin_retrieval.evaluation.retrieval import RetrievalEvaluation, RetrievalFigures
    from coin_retrieval.factory import make_retriever, open_archive, parse_generator
    from coin_retrieval.types import SearchMode

    environment = read_environment()
    chosen = [SearchMode(mode.strip()) for mode in modes.split(",")]
    draws = bool({SearchMode.PROTOTYPE, SearchMode.FUSED} & set(chosen))
    retriever = make_retriever(
        open_archive(archive),
        cache_dir=environment.prototype_dir,
        generator=parse_generator(environment.generator) if draws else None,
    )
    asked = _read(queries, by) if queries else _held_out(by)
    allowed = parse_where(where or [])
    evaluation = RetrievalEvaluation(retriever, where=allowed, by=by, k=k)
    figures = RetrievalFigures(
        k=k,
        by=by,
        where={field: list(values) for field, values in allowed.items()},
        encoder=str(retriever.archive.manifest.encoder),
        generator=retriever.generator_name or "",
        prototypes=prototypes,
        seed=seed,
        modes=[
            evaluation.pictures()
            if mode is SearchMode.IMAGE
            else evaluation.reports(mode, asked, prototypes=prototypes, seed=seed)
            for mode in track(chosen, "evaluating", disable=as_json)
        ],
    )
    table = to_markdown(figures)
    if out is not None:
        out.mkdir(parents=True, exist_ok=True)
        (out / "figures.json").write_text(figures.model_dump_json(indent=2) + "\n")
        (out / "figures.md").write_text(table)
    if as_json:
        print_json(figures.model_dump(mode="json"))
    else:
        typer.echo(table)


def to_markdown(figures: RetrievalFigures) -> str:
    """The figures as a Markdown table: a row a class, a column a mode."""
    modes = figures.modes
    labels = sorted({c.label for mode in modes for c in mode.classes})
    found = {(m.mode, c.label): c for m in modes for c in m.classes}
    lines = [
        f"| P@{figures.k} by {figures.by} | cases | " + " | ".join(m.mode for m in modes) + " |",
        "|---|---|" + "---|" * len(modes),
    ]
    for label in labels:
        cells = [found.get((m.mode, label)) for m in modes]
        cases = next(cell.cases for cell in cells if cell)
        shown = [f"{cell.precision:.2f}" if cell else "–" for cell in cells]
        lines.append(f"| {label} | {cases} | " + " | ".join(shown) + " |")
    macro = [f"**{m.precision:.3f}** ({m.interval[0]:.3f}–{m.interval[1]:.3f})" for m in modes]
    lines.append("| **macro** (95 % interval) | | " + " | ".join(macro) + " |")
    for name, at in (("accuracy_1", 1), ("accuracy_5", 5)):
        shown = [f"{getattr(m, name):.3f}" for m in modes]
        lines.append(f"| ACC@{at}, macro | | " + " | ".join(shown) + " |")
    return "\n".join(lines) + "\n"


def _held_out(by: str) -> list[LabelledReport]:
    from coin_retrieval.evaluation.retrieval import LabelledReport
    from coin_retrieval.training.captions import load_lexicon

    findings = load_lexicon().findings
    return [
        LabelledReport(report, name if by == "finding" else words.diagnosis)
        for name, words in findings.items()
        for report in words.held_out
    ]


def _read(path: Path, by: str) -> list[LabelledReport]:
    from coin_retrieval.evaluation.retrieval import LabelledReport

    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            rows = list(csv.DictReader(file))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise CaseTableError(
            f"queries cannot be read ({error})", value=str(path), expected="a UTF-8 CSV file"
        ) from error
    if not rows or "report" not in rows[0] or by not in rows[0]:
        raise CaseTableError(
            "queries lack a column",
            value=list(rows[0]) if rows else "no rows",
            expected=f"the columns report and {by}",
            remedy="name the report's text and its true label, one query a row",
        )
    return [LabelledReport(row["report"], row[by]) for row in rows]
