"""One question a figure: obedience to layouts, and what a network learns from drawn pairs."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from pydantic import BaseModel, ConfigDict

from coin_retrieval.errors import InputError
from coin_retrieval.generation.joint import JointGenerator, Pair
from coin_retrieval.metrics.bootstrap import macro_interval
from coin_retrieval.metrics.instances import centroids, distance_map
from coin_retrieval.metrics.intervals import Estimate
from coin_retrieval.progress import Progress, silent
from coin_retrieval.prototypes.layouts import layout_of_points
from coin_retrieval.prototypes.tiles import Square, Tile, cut
from coin_retrieval.types import LayoutSource, Provenance


class SegmenterFigures(BaseModel):
    """What a network that was trained on ``trained_on`` finds in unseen real squares."""

    model_config = ConfigDict(frozen=True)

    trained_on: str
    pairs: int
    dice: Estimate
    aji: Estimate


class PairFigures(BaseModel):
    """``obedience`` is the F1 of drawn nuclei against the asked ones, within 6 px."""

    model_config = ConfigDict(frozen=True)

    generator: str
    side_px: int
    drawn: int
    obedience: Estimate
    steps: int
    tested_on: int
    segmenters: list[SegmenterFigures]


def draw_like(
    generator: JointGenerator, squares: Sequence[Square], *, seed: int, on: Progress = silent
) -> list[Pair]:
    """A pair for each square, of its layout and setting."""
    side = generator.config.side_px
    plans: list[Provenance] = []
    for number, square in enumerate(squares):
        source = layout_of_points(
            square.points,
            [square.kind] * len(square.points),
            width_px=side,
            height_px=side,
            text=square.setting,
        )
        plans += generator.plan(source, n=1, seed=seed + number)
    pairs: list[Pair] = []
    for start in range(0, len(plans), generator.batch_size):
        on("drawing", start, len(plans))
        pairs += generator.pairs(plans[start : start + generator.batch_size])
    return pairs


def squares_of(
    tiles: Sequence[Tile], count: int, *, side_px: int, random: np.random.Generator
) -> list[Square]:
    """Squares with at least one nucleus, of tiles in turn.

    Raises:
        InputError: there is hardly a nucleus in them.
    """
    found: list[Square] = []
    for tried in range(20 * count):
        square = cut(tiles[tried % len(tiles)], side_px, random)
        if len(square.points):
            found.append(square)
        if len(found) == count:
            return found
    raise InputError(
        "there are too few nuclei to judge by",
        value=f"{len(found)} squares of {count}",
        expected="tiles with nuclei in them",
    )


def judge_pairs(
    generator: JointGenerator,
    training: Sequence[Tile],
    held_out: Sequence[Tile],
    *,
    count: int = 200,
    tested: int = 64,
    steps: int = 400,
    seed: int = 0,
    on: Progress = silent,
) -> PairFigures:
    """Draw pairs of layouts of the training tiles, and teach networks with real and drawn ones.

    All networks are trained for the same number of steps, on ``count`` squares of each kind, and
    tested on squares of tiles that neither they nor the generator saw.
    """
    from coin_retrieval.evaluation.pairs.segmenting import score_segmenter, train_segmenter

    random = np.random.default_rng(seed)
    side = generator.config.side_px
    real = squares_of(training, count, side_px=side, random=random)
    test = squares_of(held_out, tested, side_px=side, random=random)
    asked = draw_like(generator, test, seed=seed + 10**6, on=on)
    drawn = [_as_square(pair) for pair in draw_like(generator, real, seed=seed, on=on)]
    sets = {"real": real, "drawn": drawn, "real and drawn": [*real, *drawn]}
    segmenters = []
    for name, squares in sets.items():
        network = train_segmenter(squares, steps=steps, seed=seed, on=on)
        overlaps, aggregated = score_segmenter(
            network, test, single_cell=generator.config.single_cell
        )
        segmenters.append(
            SegmenterFigures(
                trained_on=name,
                pairs=len(squares),
                dice=_estimate(overlaps),
                aji=_estimate(aggregated),
            )
        )
    return PairFigures(
        generator=generator.name,
        side_px=side,
        drawn=len(drawn),
        obedience=_estimate(np.array([pair.obedience for pair in asked])),
        steps=steps,
        tested_on=len(test),
        segmenters=segmenters,
    )


def to_markdown(figures: PairFigures) -> str:
    """A row a network; below it what a reader must know."""
    lines = ["| trained on | pairs | Dice | AJI |", "|---|---|---|---|"]
    lines += [
        f"| {row.trained_on} | {row.pairs} | {row.dice} | {row.aji} |" for row in figures.segmenters
    ]
    below = (
        f"{figures.generator}, {figures.side_px} px. Layout obedience (F1 within 6 px) on "
        f"{figures.tested_on} layouts of unseen tiles: {figures.obedience}. Each network: "
        f"{figures.steps} steps, tested on {figures.tested_on} unseen real squares."
    )
    return "\n".join([*lines, "", below]) + "\n"


def _as_square(pair: Pair) -> Square:
    assert isinstance(pair.plan.source, LayoutSource)  # noqa: S101  what it was drawn from
    return Square(
        image=pair.image,
        instances=pair.instances,
        labels=pair.labels,
        distances=distance_map(pair.instances),
        points=centroids(pair.instances),
        kind=pair.plan.source.points[0][2],
        setting=pair.plan.source.text,
    )


def _estimate(values: np.ndarray) -> Estimate:
    return macro_interval(values, ["all"] * len(values))
