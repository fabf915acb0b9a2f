"""``coin evaluate augmentation``: do generated pictures help to train a classifier?"""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from coin_retrieval.cli.picture_options import (
    GeneratedWhere,
    Out,
    SizePx,
    Space,
    Where,
    measure,
    select,
    show,
)
from coin_retrieval.console.errors import JsonOption
from coin_retrieval.errors import InputError

if TYPE_CHECKING:
    from coin_retrieval.evaluation.augmentation.classifiers import Classifier
    from coin_retrieval.evaluation.augmentation.training_sets import Pool
    from coin_retrieval.evaluation.pictures.picture_sets import PictureSet

_FEWEST = 2
_CNN_SIZE_PX = 64


class ClassifierKind(StrEnum):
    """What is trained."""

    LINEAR = "linear"
    CNN = "cnn"


def augmentation(
    real: Annotated[
        list[Path], typer.Option(help="Real pictures to train on; repeatable: manifest or folder.")
    ],
    test: Annotated[
        list[Path], typer.Option(help="Real pictures to test on; repeatable: manifest or folder.")
    ],
    generated: Annotated[
        list[Path], typer.Option(help="Drawn pictures with labels; repeatable: manifests.")
    ],
    where: Where = None,
    test_where: Annotated[
        list[str] | None, typer.Option(help="FIELD=VALUE, repeatable: only these of --test.")
    ] = None,
    generated_where: GeneratedWhere = None,
    by: Annotated[str, typer.Option(help="The label: finding or diagnosis.")] = "finding",
    shots: Annotated[
        str, typer.Option(help="Comma-separated: how many real pictures a class are few.")
    ] = "5,10,50",
    seeds: Annotated[int, typer.Option(min=1, help="How many; each draws and trains anew.")] = 3,
    seed: Annotated[int, typer.Option(min=0, help="The first of them.")] = 0,
    classifier: Annotated[
        ClassifierKind, typer.Option(help="On frozen --features, or a network from scratch.")
    ] = ClassifierKind.LINEAR,
    features: Space = "starter",
    size_px: SizePx = None,
    network: Annotated[str, typer.Option(help="cnn: the timm model.")] = "resnet10t",
    steps: Annotated[int, typer.Option(min=1, help="cnn: of 32 pictures each.")] = 200,
    generated_weight: Annotated[
        float,
        typer.Option(
            min=0.01, help="Drawn pictures of a class weigh at most so much of its real ones."
        ),
    ] = 1.0,
    out: Out = None,
    plots: Annotated[bool, typer.Option(help="Draw a plot into --out.")] = True,
    as_json: JsonOption = False,
) -> None:
    """Train on real pictures, few or all, with and without drawn ones; test on real ones."""
    from coin_retrieval.console.bars import showing_bars
    from coin_retrieval.evaluation.augmentation.experiment import (
        AugmentationFigures,
        gains,
        regime_figures,
        run_regimes,
        to_markdown,
    )
    from coin_retrieval.evaluation.augmentation.training_sets import Pool, regimes
    from coin_retrieval.evaluation.pictures.picture_sets import (
        notes_on,
        require_disjoint,
        require_drawn,
    )

    few = _shots(shots)
    _require_extras(plots=out is not None and plots, linear=classifier is ClassifierKind.LINEAR)
    seen, unseen = select(real, where), select(test, test_where)
    require_disjoint(seen, unseen)
    drawn = require_drawn(select(generated, generated_where, real=False))
    sets, left_out = _of_shared_classes([seen, drawn, unseen], by)
    seen, drawn, unseen = sets
    pool, truth = Pool(seen.labels(by), drawn.labels(by)), unseen.labels(by)
    if classifier is ClassifierKind.LINEAR:
        trained = _linear(sets, pool, features=features, size_px=size_px, quiet=as_json)
    else:
        size_px = size_px or _CNN_SIZE_PX
        trained = _cnn(sets, pool, network=network, steps=steps, size_px=size_px, quiet=as_json)
    chosen = list(range(seed, seed + seeds))
    with showing_bars(quiet=as_json) as bars:
        right = run_regimes(
            trained,
            pool,
            truth,
            shots=few,
            seeds=chosen,
            generated_weight=generated_weight,
            done=bars("training", len(regimes(few)) * seeds * trained.steps),
        )
    figures = AugmentationFigures(
        classifier=trained.description,
        by=by,
        real=seen.name,
        generated=drawn.name,
        test=unseen.name,
        test_pictures=len(unseen),
        generated_weight=generated_weight,
        seeds=chosen,
        regimes=regime_figures(right, pool, truth, seeds=chosen),
        gains=gains(right, truth, [row.case_id for row in unseen.rows], shots=few),
        left_out=left_out,
        notes=[*notes_on(seen, drawn, size_px=size_px), *_scarce(pool, few)],
    )
    show(figures, to_markdown(figures), name="augmentation", out=out, as_json=as_json)
    if out is not None and plots:
        from coin_retrieval.evaluation.augmentation.plot import augmentation_png

        (out / "augmentation.png").write_bytes(augmentation_png(figures))


def _shots(text: str) -> list[int]:
    try:
        found = sorted({int(part) for part in text.split(",")})
    except ValueError:
        found = []
    if not found or found[0] < 1:
        raise InputError(
            "--shots cannot be read",
            value=text,
            expected="numbers of real pictures a class, such as 5,10,50",
        )
    return found


def _require_extras(*, plots: bool, linear: bool) -> None:
    from coin_retrieval.evaluation.pictures.agreement import require_classifier
    from coin_retrieval.evaluation.retrieval.plots import require_plots

    if plots:
        require_plots()
    if linear:
        require_classifier()


def _of_shared_classes(sets: Sequence[PictureSet], by: str) -> tuple[list[PictureSet], list[str]]:
    """The sets with the classes that all of them have, and the classes left out."""
    from coin_retrieval.evaluation.augmentation.training_sets import shared_classes
    from coin_retrieval.evaluation.pictures.picture_sets import PictureSet

    labelled = [one.labelled(by) for one in sets]
    kept, left_out = shared_classes(*(one.labels(by) for one in labelled), fewest=_FEWEST)
    if len(kept) < 2:
        raise InputError(
            "too few classes to tell apart",
            value=kept,
            expected=f"two or more with {_FEWEST} pictures in each of --real, --generated, --test",
            remedy=f"check the column {by} of the manifests",
        )
    pairs = [zip(one.rows, one.labels(by), strict=True) for one in labelled]
    return [
        PictureSet(one.name, tuple(row for row, label in pair if label in kept))
        for one, pair in zip(labelled, pairs, strict=True)
    ], left_out


def _linear(
    sets: Sequence[PictureSet], pool: Pool, *, features: str, size_px: int | None, quiet: bool
) -> Classifier:
    import numpy as np

    from coin_retrieval.evaluation.augmentation.classifiers import LinearClassifier

    space, (seen, drawn, unseen) = measure(features, sets, size_px=size_px, quiet=quiet)
    encoder = str(space.encoder.spec)
    return LinearClassifier(np.concatenate([seen, drawn]), pool.labels, unseen, encoder=encoder)


def _cnn(
    sets: Sequence[PictureSet],
    pool: Pool,
    *,
    network: str,
    steps: int,
    size_px: int,
    quiet: bool,
) -> Classifier:
    import numpy as np

    from coin_retrieval.console.bars import showing_bars
    from coin_retrieval.evaluation.augmentation.cnn_classifier import CnnClassifier, read_squares

    with showing_bars(quiet=quiet) as bars:
        seen, drawn, unseen = (
            read_squares(one, size_px=size_px, done=bars(one.name, len(one))) for one in sets
        )
    return CnnClassifier(
        np.concatenate([seen, drawn]), pool.labels, unseen, network=network, steps=steps
    )


def _scarce(pool: Pool, shots: Sequence[int]) -> list[str]:
    """Which classes have fewer real pictures than some training set asks for."""
    from collections import Counter

    counts = Counter(pool.real)
    fewer = [f"{label} ({count})" for label, count in sorted(counts.items()) if count < shots[-1]]
    return [f"fewer than {shots[-1]} real pictures, all taken: {', '.join(fewer)}"] if fewer else []
