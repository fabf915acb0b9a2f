"""Does the generator copy its training pictures?

A drawn picture that lies nearer to a training picture than real, unseen pictures ever do is
suspect. Real held-out pictures set the scale: 1 % of them lie below their own 1st percentile, so a
share well above 1 % of the drawn ones speaks of copying (Carlini et al. 2023, arXiv 2301.13188,
compare neighbours likewise; Dar et al. 2024, arXiv 2402.01054, in medical pictures).
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from pydantic import BaseModel, ConfigDict

from coin_retrieval.evaluation.pictures.picture_sets import PictureSet, notes_on, require_disjoint
from coin_retrieval.evaluation.pictures.spaces import FeatureSpace
from coin_retrieval.images.decoding import load_image
from coin_retrieval.images.png import encode_png
from coin_retrieval.metrics.intervals import wilson
from coin_retrieval.metrics.neighbours import nearest
from coin_retrieval.presenting.sheet_page import GREY, INK, SYNTHETIC, Page, Tile
from coin_retrieval.progress import Progress, silent
from coin_retrieval.types import Features

PERCENTILE = 1.0
CLOSEST = 10
_ENOUGH = 100
_NOTICE = (
    "Closest pairs. Left: SYNTHETIC, drawn by a model. Right: its nearest real training picture."
)


class ClosePair(BaseModel):
    """A drawn picture and the training picture nearest to it."""

    model_config = ConfigDict(frozen=True)

    generated: str
    training: str
    distance: float
    nearer_than_held_out: float
    """The share of held-out pictures that lie farther from their own nearest training picture."""


class MemorisationFigures(BaseModel):
    """Distances to the nearest training picture, of drawn and of held-out real pictures."""

    model_config = ConfigDict(frozen=True)

    encoder: str
    size_px: int | None
    generated_count: int
    training_count: int
    held_out_count: int
    threshold: float
    share_below: float
    interval: tuple[float, float]
    median_generated: float
    median_held_out: float
    held_out_copies: int
    closest: list[ClosePair]
    notes: list[str]


def find_copies(
    space: FeatureSpace,
    generated: PictureSet,
    training: PictureSet,
    held_out: PictureSet,
    *,
    on: Progress = silent,
) -> MemorisationFigures:
    """Are drawn pictures nearer to training pictures than unseen real ones ever are?

    Raises:
        CaseTableError: a training or held-out picture that is not real.
        InputError: training and held-out pictures share a case.
        ImageError: a picture that cannot be read.
    """
    require_disjoint(training, held_out)
    notes = notes_on(training, generated, size_px=space.size_px)
    return measure_memorisation(
        *(space.features(pictures, on) for pictures in (generated, training, held_out)),
        generated_names=[str(row.image_path) for row in generated.rows],
        training_names=[str(row.image_path) for row in training.rows],
        encoder=str(space.encoder.spec),
        size_px=space.size_px,
        notes=notes,
    )


def measure_memorisation(
    generated: Features,
    training: Features,
    held_out: Features,
    *,
    generated_names: Sequence[str],
    training_names: Sequence[str],
    encoder: str,
    size_px: int | None = None,
    notes: Sequence[str] = (),
) -> MemorisationFigures:
    """Compare nearest-neighbour distances; features float32 [n dim] of one space.

    ``share_below`` is the share of drawn pictures nearer to a training picture than the held-out
    pictures' 1st percentile, ``interval`` its 95 % Wilson interval.
    """
    apart, index = nearest(generated, training)
    usual, _ = nearest(held_out, training)
    threshold = float(np.percentile(usual, PERCENTILE))
    copies = int((usual == 0).sum())
    below = int((apart < threshold).sum())
    return MemorisationFigures(
        encoder=encoder,
        size_px=size_px,
        generated_count=len(generated),
        training_count=len(training),
        held_out_count=len(held_out),
        threshold=threshold,
        share_below=below / len(generated),
        interval=wilson(below / len(generated), len(generated)),
        median_generated=float(np.median(apart)),
        median_held_out=float(np.median(usual)),
        held_out_copies=copies,
        closest=[
            ClosePair(
                generated=generated_names[i],
                training=training_names[index[i]],
                distance=float(apart[i]),
                nearer_than_held_out=float((usual > apart[i]).mean()),
            )
            for i in np.argsort(apart, kind="stable")[:CLOSEST]
        ],
        notes=[*notes, *_caveats(len(held_out), copies)],
    )


def closest_pairs_png(pairs: Sequence[ClosePair]) -> bytes:
    """Each drawn picture, framed, beside its nearest training picture, as PNG bytes.

    Raises:
        ImageError: a picture that cannot be read.
    """
    page = Page(columns=4)
    page.text(_NOTICE, 20, SYNTHETIC)
    page.space(14)
    tiles = []
    for pair in pairs:
        apart = f"distance {pair.distance:.3f}, nearer than {pair.nearer_than_held_out:.1%} of "
        drawn, seen = Path(pair.generated), Path(pair.training)
        named = [(f"{apart}held-out", 17, INK), (drawn.name, 17, GREY)]
        tiles += [
            Tile(load_image(drawn), "synthetic", named),
            Tile(load_image(seen), None, [(seen.name, 17, GREY)]),
        ]
    page.tiles(tiles)
    return encode_png(page.render(), text={"Description": _NOTICE})


def to_markdown(figures: MemorisationFigures) -> str:
    """The share, what it is measured by, and the closest pairs."""
    low, high = figures.interval
    lines = [
        "| distance to the nearest training picture | pictures | median | below the threshold |",
        "|---|---|---|---|",
        f"| generated | {figures.generated_count} | {figures.median_generated:.3f} | "
        f"**{figures.share_below:.2%}** ({low:.2%}–{high:.2%}) |",
        f"| held-out, real | {figures.held_out_count} | {figures.median_held_out:.3f} | "
        f"{PERCENTILE / 100:.2%} by definition (threshold {figures.threshold:.3f}) |",
        "",
        "| closest pairs: generated | training | distance | nearer than … of held-out |",
        "|---|---|---|---|",
        *(
            f"| {pair.generated} | {pair.training} | {pair.distance:.3f} | "
            f"{pair.nearer_than_held_out:.1%} |"
            for pair in figures.closest
        ),
        "",
        f"- Space: {figures.encoder}; {figures.training_count} training pictures.",
        *(f"- {note}" for note in figures.notes),
    ]
    return "\n".join(lines) + "\n"


def _caveats(held_out: int, copies: int) -> list[str]:
    notes = []
    if held_out < _ENOUGH:
        notes.append(
            f"{held_out} held-out pictures: their 1st percentile is close to their smallest "
            f"distance; use {_ENOUGH} or more"
        )
    if copies:
        notes.append(
            f"{copies} held-out pictures equal a training picture: the threshold is too low, "
            f"split the data again"
        )
    return notes
