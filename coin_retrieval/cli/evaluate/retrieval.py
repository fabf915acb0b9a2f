"""``coin evaluate``: how good is it, on your own cases?"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from coin_retrieval.cli.evaluate.ablation import ablation
from coin_retrieval.cli.evaluate.augmentation import augmentation
from coin_retrieval.cli.evaluate.close_match import close_match
from coin_retrieval.cli.evaluate.pictures import classifier_agreement, images, memorisation
from coin_retrieval.cli.evaluate.sheet import sheet
from coin_retrieval.console.errors import JsonOption
from coin_retrieval.errors import InputError

if TYPE_CHECKING:
    from coin_retrieval.evaluation.retrieval.figures import RetrievalFigures
    from coin_retrieval.search.retriever import Retriever
    from coin_retrieval.types import SearchMode

evaluate_app = typer.Typer(help="How good is it, on your own cases?", no_args_is_help=True)
evaluate_app.command()(ablation)
evaluate_app.command()(close_match)
evaluate_app.command()(images)
evaluate_app.command()(memorisation)
evaluate_app.command()(classifier_agreement)
evaluate_app.command()(augmentation)
evaluate_app.command()(sheet)


@evaluate_app.callback()
def _group() -> None: ...


@evaluate_app.command()
def retrieval(
    archive: Annotated[Path, typer.Argument(help="An archive that coin-index built.")],
    queries: Annotated[
        Path | None,
        typer.Option(
            help="CSV: report, the label's column, and case_id if that case must not be found. "
            "Default: the held-out wordings."
        ),
    ] = None,
    where: Annotated[
        list[str] | None, typer.Option(help="FIELD=VALUE, repeatable: search only these.")
    ] = None,
    by: Annotated[str, typer.Option(help="The label: finding or diagnosis.")] = "finding",
    modes: Annotated[
        str | None,
        typer.Option(
            help="Comma-separated: image, text, prototype, fused. Default: all that are possible."
        ),
    ] = None,
    k: Annotated[int, typer.Option("-k", min=1, help="How many places count.")] = 10,
    prototypes: Annotated[
        int | None,
        typer.Option(min=1, help="Pictures drawn a report; default as calibrated, else 4."),
    ] = None,
    seed: Annotated[int, typer.Option(help="Of the first picture.")] = 0,
    out: Annotated[
        Path | None, typer.Option(help="Directory for figures.json, figures.md and plots.")
    ] = None,
    plots: Annotated[bool, typer.Option(help="Draw plots into --out.")] = True,
    as_json: JsonOption = False,
) -> None:
    """Precision, mAP, nDCG, votes and accuracy of every query mode, with 95 % intervals."""
    from coin_retrieval.console.bars import showing_bars
    from coin_retrieval.console.inputs import parse_where
    from coin_retrieval.console.session import print_json
    from coin_retrieval.evaluation.retrieval.figures import RetrievalFigures
    from coin_retrieval.evaluation.retrieval.modes import RetrievalEvaluation
    from coin_retrieval.evaluation.retrieval.plots import require_plots
    from coin_retrieval.evaluation.retrieval.rankings import differences
    from coin_retrieval.evaluation.retrieval.table import to_markdown
    from coin_retrieval.types import SearchMode
    from coin_retrieval.wordings.labelled_reports import labelled_reports

    if out is not None and plots:
        require_plots()
    named = _modes(modes) if modes else None
    retriever = _open(archive, named)
    drawn = prototypes or retriever.default_prototypes
    chosen = named or [SearchMode.IMAGE, *reversed(retriever.modes)]
    asked = labelled_reports(queries, by=by)
    allowed = parse_where(where or [])
    evaluation = RetrievalEvaluation(retriever, where=allowed, by=by, k=k)
    with showing_bars(quiet=as_json) as bars:
        rankings = []
        for mode in chosen:
            if mode is SearchMode.IMAGE:
                done = bars(mode.value, evaluation.pictures_count)
                rankings.append(evaluation.pictures(done=done))
                continue
            answerable = evaluation.answerable(asked)
            done = bars(mode.value, len(answerable))
            ranking = evaluation.reports(mode, answerable, prototypes=drawn, seed=seed, done=done)
            rankings.append(ranking)
    figures = RetrievalFigures(
        k=k,
        by=by,
        where={field: list(values) for field, values in allowed.items()},
        encoder=str(retriever.archive.manifest.encoder),
        generator=retriever.generator_name or "",
        prototypes=drawn,
        seed=seed,
        calibrated=retriever.calibration is not None,
        modes=[evaluation.figures(ranking) for ranking in rankings],
        differences=differences(rankings, k=k),
    )
    if out is not None:
        _save(figures, out, plots=plots)
    if as_json:
        print_json(figures.model_dump(mode="json"))
    else:
        typer.echo(to_markdown(figures))


def _modes(text: str) -> list[SearchMode]:
    from coin_retrieval.types import SearchMode

    names = list(dict.fromkeys(name.strip() for name in text.split(",")))
    known = [mode.value for mode in SearchMode]
    if not set(names) <= set(known):
        raise InputError("no such mode", value=text, expected=f"some of {', '.join(known)}")
    return [SearchMode(name) for name in names]


def _open(archive: Path, modes: list[SearchMode] | None) -> Retriever:
    """A retriever; the generator is loaded only where a mode draws."""
    from coin_retrieval.console.environment import read_environment
    from coin_retrieval.factory import make_retriever, open_archive, parse_generator
    from coin_retrieval.types import SearchMode

    environment = read_environment()
    draws = modes is None or bool({SearchMode.PROTOTYPE, SearchMode.FUSED} & set(modes))
    return make_retriever(
        open_archive(archive),
        cache_dir=environment.prototype_dir,
        generator=parse_generator(environment.generator) if draws else None,
    )


def _save(figures: RetrievalFigures, out: Path, *, plots: bool) -> None:
    from coin_retrieval.evaluation.retrieval.plots import classes_png, modes_png
    from coin_retrieval.evaluation.retrieval.table import to_markdown

    out.mkdir(parents=True, exist_ok=True)
    (out / "figures.json").write_text(figures.model_dump_json(indent=2) + "\n", "utf-8")
    (out / "figures.md").write_text(to_markdown(figures), "utf-8")
    if plots:
        (out / "modes.png").write_bytes(modes_png(figures))
        (out / "classes.png").write_bytes(classes_png(figures))
