"""``coin evaluate augmentation``: do generated pictures help to train a classifier?"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from coin_retrieval.cli import options
from coin_retrieval.cli.evaluate import picture_options
from coin_retrieval.cli.evaluate.picture_options import open_features, select
from coin_retrieval.console.errors import JsonOption
from coin_retrieval.errors import InputError


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
    where: picture_options.Where = None,
    test_where: Annotated[
        list[str] | None, typer.Option(help="FIELD=VALUE, repeatable: only these of --test.")
    ] = None,
    generated_where: picture_options.GeneratedWhere = None,
    by: options.By = "finding",
    shots: Annotated[
        str, typer.Option(help="Comma-separated: how many real pictures a class are few.")
    ] = "5,10,50",
    seeds: Annotated[int, typer.Option(min=1, help="How many; each draws the few anew.")] = 3,
    seed: Annotated[int, typer.Option(min=0, help="The first of them.")] = 0,
    features: picture_options.Space = "starter",
    size_px: picture_options.SizePx = None,
    generated_weight: Annotated[
        float,
        typer.Option(
            min=0.01, help="Drawn pictures of a class weigh at most so much of its real ones."
        ),
    ] = 1.0,
    out: picture_options.Out = None,
    plots: Annotated[bool, typer.Option(help="Draw a plot into --out.")] = True,
    as_json: JsonOption = False,
) -> None:
    """Train on real pictures, few or all, with and without drawn ones; test on real ones."""
    from coin_retrieval.cli.evaluate.results import show
    from coin_retrieval.console.bars import showing
    from coin_retrieval.evaluation.augmentation.experiment import measure_augmentation
    from coin_retrieval.evaluation.augmentation.figures import to_markdown
    from coin_retrieval.evaluation.augmentation.plot import augmentation_png
    from coin_retrieval.evaluation.extras import require_classifier, require_plots

    few = _shots(shots)
    if out is not None and plots:
        require_plots()
    require_classifier()
    seen, unseen = select(real, where), select(test, test_where)
    drawn = select(generated, generated_where)
    with showing(quiet=as_json) as on:
        figures = measure_augmentation(
            open_features(features, size_px=size_px), seen, drawn, unseen, by=by, shots=few,
            seeds=range(seed, seed + seeds), generated_weight=generated_weight, on=on,
        )  # fmt: skip
    show(
        figures, to_markdown(figures), name="augmentation", out=out, as_json=as_json,
        pictures={"augmentation.png": lambda: augmentation_png(figures)} if plots else None,
    )  # fmt: skip


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
