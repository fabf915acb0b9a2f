"""``coin evaluate close-match``: does the archive know what it does not hold?"""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING, Annotated

import typer

from coin_retrieval.console.errors import JsonOption
from coin_retrieval.console.limits import MAX_SEED
from coin_retrieval.errors import InputError

if TYPE_CHECKING:
    from coin_retrieval.archive import Archive
    from coin_retrieval.evaluation.retrieval.close_match import Question
    from coin_retrieval.search.retriever import Retriever


class Mode(StrEnum):
    """What is searched with."""

    FUSED = "fused"
    PROTOTYPE = "prototype"
    TEXT = "text"
    IMAGE = "image"


def close_match(
    archive: Annotated[Path, typer.Argument(help="An archive that coin-index built.")],
    queries: Annotated[
        Path | None,
        typer.Option(
            help="CSV as for coin evaluate retrieval; for mode image a manifest of pictures. "
            "Default: the held-out wordings, or the archive's own pictures."
        ),
    ] = None,
    outside: Annotated[
        Path | None,
        typer.Option(
            help="The same, of what the archive does not hold. Default: those of the queries "
            "whose label it lacks."
        ),
    ] = None,
    mode: Annotated[
        Mode | None, typer.Option(help="Default: what a search of a report takes.")
    ] = None,
    by: Annotated[str, typer.Option(help="The label: finding or diagnosis.")] = "finding",
    outside_where: Annotated[
        list[str] | None,
        typer.Option(help="FIELD=VALUE, repeatable: only these pictures of --outside."),
    ] = None,
    sample: Annotated[
        int, typer.Option(min=1, help="At most so many pictures of each kind, for mode image.")
    ] = 500,
    prototypes: Annotated[
        int | None,
        typer.Option(min=1, help="Pictures drawn a report; default as calibrated, else 4."),
    ] = None,
    seed: Annotated[int, typer.Option(min=0, max=MAX_SEED, help="Of the first picture.")] = 0,
    generator: Annotated[
        str | None, typer.Option(help="Which generator; default COIN_GENERATOR, else starter.")
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option(help="Directory for close_match.json, close_match.md and close_match.png."),
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """How well "no close match" tells what the archive lacks: AUROC, false alarms, detections."""
    from coin_retrieval.archive.calibration import PLACES
    from coin_retrieval.cli.picture_options import show
    from coin_retrieval.console.bars import showing_bars
    from coin_retrieval.console.session import working
    from coin_retrieval.evaluation.retrieval.close_match import (
        ask_all,
        measure_close_match,
        threshold_of,
        to_markdown,
    )
    from coin_retrieval.evaluation.retrieval.plots import require_plots
    from coin_retrieval.search.query import Query
    from coin_retrieval.types import SearchMode

    if out is not None:
        require_plots()
    with working("loading the models"):
        retriever = _open(archive, mode, generator)
    chosen = SearchMode(mode) if mode else retriever.mode_of(Query("a report"))
    with working("reading the queries"):
        sets = _questions(
            retriever.archive, queries, outside, by=by, pictures=chosen is SearchMode.IMAGE,
            outside_where=outside_where, sample=sample,
        )  # fmt: skip
    threshold = threshold_of(retriever, chosen)
    places = threshold.places if threshold else PLACES
    with showing_bars(quiet=as_json) as bars:
        inner, outer = [
            ask_all(
                retriever, questions, chosen, places=places, prototypes=prototypes, seed=seed,
                done=bars(name, len(questions)),
            )
            for name, questions in zip(("inside", "outside"), sets, strict=True)
        ]  # fmt: skip
    figures = measure_close_match(
        inner,
        outer,
        threshold,
        mode=chosen,
        encoder=str(retriever.archive.manifest.encoder),
        generator=retriever.generator_name or "",
        prototypes=prototypes or retriever.default_prototypes,
        seed=seed,
    )
    retriever.archive.close()
    show(figures, to_markdown(figures), name="close_match", out=out, as_json=as_json)
    if out is not None:
        from coin_retrieval.evaluation.retrieval.close_match_plot import close_match_png

        (out / "close_match.png").write_bytes(close_match_png(figures))


def _open(archive: Path, mode: Mode | None, generator: str | None) -> Retriever:
    """A retriever as searches have it, calibration included; it draws only where that is asked."""
    from coin_retrieval.console.environment import read_environment
    from coin_retrieval.factory import make_retriever, open_archive, parse_generator

    environment = read_environment()
    draws = mode not in (Mode.TEXT, Mode.IMAGE)
    return make_retriever(
        open_archive(archive),
        cache_dir=environment.prototype_dir,
        generator=parse_generator(generator or environment.generator) if draws else None,
    )


def _questions(
    archive: Archive,
    queries: Path | None,
    outside: Path | None,
    *,
    by: str,
    pictures: bool,
    outside_where: list[str] | None,
    sample: int,
) -> tuple[list[Question], list[Question]]:
    """Questions that the archive can answer, and others.

    Raises:
        InputError: ``by`` is no label, or an outside question has a label of the archive.
    """
    from coin_retrieval.evaluation.retrieval.close_match import split_by_label

    if by not in ("finding", "diagnosis"):
        raise InputError("no such label", value=by, expected="finding or diagnosis")
    labels = [label for label in archive.catalog.values(by) if label]
    if not pictures:
        inside, others = split_by_label(_reports(queries, by), labels)
        others = _reports(outside, by) if outside else others
    else:
        inside = _pictures(queries, by) if queries else _own_pictures(archive, by)
        inside, others = split_by_label(inside, labels)
        others = _pictures(outside, by, outside_where) if outside else others
        inside, others = _sampled(inside, sample), _sampled(others, sample)
    if outside:
        known, _ = split_by_label(others, labels)
        if known:
            raise InputError(
                "an outside query has a label of the archive",
                value=known[0].label,
                expected=f"a {by} that the archive lacks",
                remedy="leave such rows out: the archive may well hold a close match for them",
            )
    return inside, others


def _reports(path: Path | None, by: str) -> list[Question]:
    from coin_retrieval.evaluation.retrieval.close_match import Question
    from coin_retrieval.wordings.labelled_reports import labelled_reports

    return [
        Question(row.report, label=row.label, case_id=row.case_id)
        for row in labelled_reports(path, by=by)
    ]


def _pictures(path: Path, by: str, where: list[str] | None = None) -> list[Question]:
    from coin_retrieval.cli.picture_options import select
    from coin_retrieval.evaluation.retrieval.close_match import Question

    found = select([path], where, real=False)
    return [
        Question(picture=row.image_path, label=label, case_id=row.case_id)
        for row, label in zip(found.rows, found.labels(by), strict=True)
    ]


def _own_pictures(archive: Archive, by: str) -> list[Question]:
    from coin_retrieval.evaluation.retrieval.close_match import Question
    from coin_retrieval.types import ImageId

    records = archive.catalog.images(ImageId(int(i)) for i in archive.store.ids())
    return [
        Question(
            picture=archive.image_path(image),
            label=str(getattr(image, by)),
            case_id=image.case_id,
        )
        for image in records.values()
    ]


def _sampled(questions: list[Question], most: int) -> list[Question]:
    """At most so many, the same ones every time."""
    return Random(0).sample(questions, most) if len(questions) > most else questions  # noqa: S311
