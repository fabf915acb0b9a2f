"""``coin evaluate images | memorisation | classifier-agreement``: are drawn pictures any good?"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from coin_retrieval.cli import options
from coin_retrieval.cli.evaluate import picture_options
from coin_retrieval.cli.evaluate.picture_options import open_features, select
from coin_retrieval.console.errors import JsonOption


def images(
    real: Annotated[
        list[Path],
        typer.Option(help="Real pictures, best unseen ones; repeatable: manifest or folder."),
    ],
    generated: Annotated[
        list[Path], typer.Option(help="Drawn pictures; repeatable, a row each: manifest or folder.")
    ],
    reference: Annotated[
        list[Path] | None,
        typer.Option(help="Further real pictures, repeatable: the row that says what is possible."),
    ] = None,
    features: picture_options.Space = "starter",
    where: picture_options.Where = None,
    reference_where: Annotated[
        list[str] | None, typer.Option(help="FIELD=VALUE, repeatable: only these of --reference.")
    ] = None,
    generated_where: picture_options.GeneratedWhere = None,
    sample: Annotated[
        int | None,
        typer.Option(min=6, help="At most so many pictures of each set: equal numbers compare."),
    ] = None,
    size_px: picture_options.SizePx = None,
    seed: Annotated[int, typer.Option(help="Of samples and subsets.")] = 0,
    out: picture_options.Out = None,
    as_json: JsonOption = False,
) -> None:
    """Fréchet and kernel distance, CMMD, precision, recall, density and coverage."""
    from coin_retrieval.cli.evaluate.results import show
    from coin_retrieval.console.bars import showing
    from coin_retrieval.evaluation.pictures.fidelity import compare_sets, to_markdown

    drawn = [select([source], generated_where) for source in generated]
    yardstick = select(real, where)
    anchor = select(reference, reference_where) if reference else None
    space = open_features(features, size_px=size_px)
    with showing(quiet=as_json) as on:
        figures = compare_sets(
            space, yardstick, drawn, reference=anchor, sample=sample, seed=seed, on=on
        )
    show(figures, to_markdown(figures), name="images", out=out, as_json=as_json)


def memorisation(
    generated: picture_options.Generated,
    training: picture_options.Training,
    held_out: picture_options.HeldOut,
    features: picture_options.Space = "starter",
    training_where: picture_options.TrainingWhere = None,
    held_out_where: picture_options.HeldOutWhere = None,
    generated_where: picture_options.GeneratedWhere = None,
    size_px: picture_options.SizePx = None,
    out: picture_options.Out = None,
    as_json: JsonOption = False,
) -> None:
    """Are drawn pictures nearer to training pictures than unseen real ones ever are?"""
    from coin_retrieval.cli.evaluate.results import show
    from coin_retrieval.console.bars import showing
    from coin_retrieval.evaluation.pictures.memorisation import (
        closest_pairs_png,
        find_copies,
        to_markdown,
    )

    drawn = select([generated], generated_where)
    seen, unseen = select(training, training_where), select(held_out, held_out_where)
    space = open_features(features, size_px=size_px)
    with showing(quiet=as_json) as on:
        figures = find_copies(space, drawn, seen, unseen, on=on)
    show(
        figures, to_markdown(figures), name="memorisation", out=out, as_json=as_json,
        pictures={"closest_pairs.png": lambda: closest_pairs_png(figures.closest)},
    )  # fmt: skip


def classifier_agreement(
    generated: picture_options.Generated,
    training: picture_options.Training,
    held_out: picture_options.HeldOut,
    features: picture_options.Space = "starter",
    by: options.By = "finding",
    training_where: picture_options.TrainingWhere = None,
    held_out_where: picture_options.HeldOutWhere = None,
    generated_where: picture_options.GeneratedWhere = None,
    size_px: picture_options.SizePx = None,
    out: picture_options.Out = None,
    as_json: JsonOption = False,
) -> None:
    """Does a classifier trained on real pictures name the class of drawn ones?"""
    from coin_retrieval.cli.evaluate.results import show
    from coin_retrieval.console.bars import showing
    from coin_retrieval.evaluation.extras import require_classifier
    from coin_retrieval.evaluation.pictures import agreement

    require_classifier()
    drawn = select([generated], generated_where)
    seen, unseen = select(training, training_where), select(held_out, held_out_where)
    space = open_features(features, size_px=size_px)
    with showing(quiet=as_json) as on:
        figures = agreement.classifier_agreement(space, drawn, seen, unseen, by=by, on=on)
    table = agreement.to_markdown(figures)
    show(figures, table, name="classifier_agreement", out=out, as_json=as_json)
