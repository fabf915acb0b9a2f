"""Which pictures a classifier is trained on, and how much each of them weighs."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from coin_retrieval.errors import InputError
from coin_retrieval.evaluation.pictures.picture_sets import PictureSet

Rows = NDArray[np.int64]
Weights = NDArray[np.float64]
_FEWEST = 2


@dataclass(frozen=True, slots=True)
class Pool:
    """All pictures that may be trained on, the real ones first; each has a label."""

    real: Sequence[str]
    generated: Sequence[str]

    @property
    def labels(self) -> NDArray[np.str_]:
        """The label of each row, real ones first."""
        return np.array([*self.real, *self.generated], dtype=np.str_)

    def few(self, shots: int | None, *, seed: int) -> Rows:
        """Rows of ``shots`` real pictures a class, or of all that a class has; ``None``: of all.

        Draws are nested: the 5 of a seed are among its 10, so that more pictures are only more.
        """
        if shots is None:
            return np.arange(len(self.real))
        random = np.random.default_rng(seed)
        labels = np.array(self.real, dtype=np.str_)
        drawn = [
            random.permutation(np.flatnonzero(labels == label))[:shots]
            for label in sorted(set(self.real))
        ]
        return np.sort(np.concatenate(drawn))

    def drawn(self) -> Rows:
        """Rows of all generated pictures."""
        return np.arange(len(self.real), len(self.real) + len(self.generated))

    def weigh(self, rows: Rows, *, generated_weight: float) -> Weights:
        """How much each row counts, float64 [rows], summing to 1.

        Every class weighs the same, because macro accuracy is what is measured. Within a class each
        real picture weighs 1 and each generated one ``generated_weight`` × real / generated
        pictures, but at most 1: how many pictures a generator is asked for is arbitrary and must
        not decide how much it is believed, and a drawing never says more of a class than a real
        picture does. With 1 the generated pictures of a class together weigh at most as much as the
        real ones. A class without real pictures has generated ones of one weight.
        """
        labels = self.labels[rows]
        of_real = rows < len(self.real)
        weights = np.ones(len(rows))
        for label in set(labels.tolist()):
            inside = labels == label
            real, drawn = int((inside & of_real).sum()), int((inside & ~of_real).sum())
            if real and drawn:
                weights[inside & ~of_real] = min(1.0, generated_weight * real / drawn)
            weights[inside] /= weights[inside].sum()
        return np.asarray(weights / weights.sum(), np.float64)

    def scarce(self, shots: int) -> list[str]:
        """A note on the classes that have fewer real pictures than ``shots``; none if all have."""
        counts = sorted(Counter(self.real).items())
        fewer = ", ".join(f"{label} ({count})" for label, count in counts if count < shots)
        return [f"fewer than {shots} real pictures, all taken: {fewer}"] if fewer else []


@dataclass(frozen=True, slots=True)
class Regime:
    """One kind of training set: ``shots`` real pictures a class, ``None`` for all, 0 for none."""

    shots: int | None
    generated: bool

    @property
    def name(self) -> str:
        """The set in words."""
        if self.shots == 0:
            return "generated only"
        real = "all real" if self.shots is None else f"{self.shots} real a class"
        return f"{real} + generated" if self.generated else real

    def rows(self, pool: Pool, *, seed: int) -> Rows:
        """The rows of the pool that a seed draws; with and without generated the same real ones."""
        real = np.empty(0, np.int64) if self.shots == 0 else pool.few(self.shots, seed=seed)
        return np.concatenate([real, pool.drawn()]) if self.generated else real


def regimes(shots: Sequence[int]) -> list[Regime]:
    """Few real pictures with and without generated ones, all real ones likewise, generated only."""
    pairs = [Regime(k, generated) for k in (*shots, None) for generated in (False, True)]
    return [*pairs, Regime(0, generated=True)]


def of_shared_classes(sets: Sequence[PictureSet], by: str) -> tuple[list[PictureSet], list[str]]:
    """The sets with the classes of which each has two pictures at least, and the classes left out.

    Raises:
        InputError: fewer than two classes are left.
    """
    labelled = [one.labelled(by) for one in sets]
    counts = [Counter(one.labels(by)) for one in labelled]
    every = sorted(set().union(*counts))
    kept = [label for label in every if all(count[label] >= _FEWEST for count in counts)]
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
    ], [label for label in every if label not in kept]
