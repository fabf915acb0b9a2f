"""Do drawn pictures look like real ones? Every distance of one feature space, with its anchors."""

from __future__ import annotations

from collections.abc import Sequence

from pydantic import BaseModel, ConfigDict

from coin_retrieval.encoding.base import unit_rows
from coin_retrieval.errors import InputError
from coin_retrieval.evaluation.pictures.picture_sets import PictureSet, notes_on, require_real
from coin_retrieval.evaluation.pictures.spaces import FeatureSpace
from coin_retrieval.metrics.frechet import frechet_distance
from coin_retrieval.metrics.kernel_distance import cmmd, kernel_distance
from coin_retrieval.metrics.neighbours import DENSITY_NEIGHBOURS, overlap
from coin_retrieval.progress import Progress, counted, silent
from coin_retrieval.types import Features


class Fidelity(BaseModel):
    """How one set of pictures compares with the real ones.

    ``anchor``: the set is real too, so its figures are what a perfect generator could reach.
    """

    model_config = ConfigDict(frozen=True)

    pictures: str
    count: int
    anchor: bool
    frechet: float
    kernel: float
    kernel_deviation: float
    cmmd: float | None
    precision: float
    recall: float
    density: float
    coverage: float


class FidelityFigures(BaseModel):
    """One table: what was compared, in which space, and what the figures are called there."""

    model_config = ConfigDict(frozen=True)

    real: str
    real_count: int
    encoder: str
    frechet_name: str
    kernel_name: str
    cmmd_name: str | None
    size_px: int | None
    seed: int
    notes: list[str]
    rows: list[Fidelity]


def require_enough(name: str, count: int) -> None:
    """Refuse a set too small for nearest neighbours.

    Raises:
        InputError: it is.
    """
    if count <= DENSITY_NEIGHBOURS:
        raise InputError(
            f"{name} has too few pictures to compare",
            value=count,
            expected=f"more than {DENSITY_NEIGHBOURS}; figures settle at some thousands",
        )


def compare_sets(
    space: FeatureSpace,
    real: PictureSet,
    generated: Sequence[PictureSet],
    *,
    reference: PictureSet | None = None,
    sample: int | None = None,
    seed: int = 0,
    on: Progress = silent,
) -> FidelityFigures:
    """Every figure of every drawn set against the real one, and of further real pictures.

    Args:
        reference: real pictures too; their row says what a perfect generator could reach.
        sample: at most so many pictures of each set, because equal numbers compare.
        seed: of samples and subsets.

    Raises:
        CaseTableError: a picture of ``real`` or ``reference`` that is not.
        InputError: a set has too few pictures.
        ImageError: a picture that cannot be read.
    """
    given = [require_real(real), *generated]
    if reference is not None:
        given.append(require_real(reference))
    every = [one.sample(sample, seed=seed) for one in given]
    for one in every:
        require_enough(one.name, len(one))
    yardstick, *others = every
    notes = [note for one in others for note in notes_on(yardstick, one, size_px=space.size_px)]
    measured, *found = (space.features(one, on) for one in every)
    return FidelityFigures(
        real=yardstick.name,
        real_count=len(yardstick),
        encoder=str(space.encoder.spec),
        frechet_name=space.frechet_name,
        kernel_name=space.kernel_name,
        cmmd_name=space.cmmd_name,
        size_px=space.size_px,
        seed=seed,
        notes=list(dict.fromkeys(notes)),
        rows=[
            compare(
                space, measured, rows, name=one.name, seed=seed, anchor=number >= len(generated)
            )
            for number, (one, rows) in counted(
                list(enumerate(zip(others, found, strict=True))), "comparing", on
            )
        ],
    )


def compare(
    space: FeatureSpace,
    real: Features,
    other: Features,
    *,
    name: str,
    anchor: bool = False,
    seed: int = 0,
) -> Fidelity:
    """All figures of one set against the real one; features float32 [n dim] of one space.

    Raises:
        InputError: one of them has too few pictures.
    """
    require_enough("the real set", len(real))
    require_enough(name, len(other))
    kernel, deviation = kernel_distance(real, other, seed=seed)
    found = overlap(real, other)
    return Fidelity(
        pictures=name,
        count=len(other),
        anchor=anchor,
        frechet=frechet_distance(real, other),
        kernel=kernel,
        kernel_deviation=deviation,
        cmmd=cmmd(unit_rows(real), unit_rows(other)) if space.cmmd_name else None,
        precision=found.precision,
        recall=found.recall,
        density=found.density,
        coverage=found.coverage,
    )


def to_markdown(figures: FidelityFigures) -> str:
    """A row a set, anchors first; below it what a reader must know."""
    names = [figures.frechet_name, f"{figures.kernel_name} × 1000", "precision", "recall"]
    names += ["density", "coverage"]
    if figures.cmmd_name:
        names.insert(2, figures.cmmd_name)
    head = f"against {figures.real} ({figures.real_count})"
    lines = [_line([head, "pictures", *names]), "|" + "---|" * (len(names) + 2)]
    lines += [_line(_cells(row)) for row in sorted(figures.rows, key=lambda row: not row.anchor)]
    below = [f"Space: {figures.encoder}.", *figures.notes, *_unequal(figures.rows)]
    return "\n".join(lines) + "\n\n" + "\n".join(f"- {note}" for note in below) + "\n"


def _cells(row: Fidelity) -> list[str]:
    cells = [
        f"{row.pictures}{' (real: the floor)' if row.anchor else ''}",
        str(row.count),
        f"{row.frechet:.2f}",
        f"{1000 * row.kernel:.2f} ± {1000 * row.kernel_deviation:.2f}",
    ]
    if row.cmmd is not None:
        cells.append(f"{row.cmmd:.3f}")
    return [
        *cells,
        *(f"{getattr(row, n):.3f}" for n in ("precision", "recall", "density", "coverage")),
    ]


def _unequal(rows: Sequence[Fidelity]) -> list[str]:
    counts = {row.count for row in rows}
    if len(counts) == 1:
        return []
    return [f"sets of {min(counts)} to {max(counts)} pictures: a Fréchet distance grows as a set "
            f"shrinks, compare equal numbers (--sample {min(counts)})"]  # fmt: skip


def _line(cells: Sequence[str]) -> str:
    return "| " + " | ".join(cell.replace("|", "/") for cell in cells) + " |"
