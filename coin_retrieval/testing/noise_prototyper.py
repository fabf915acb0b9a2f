"""A real prototyper without a network: coloured noise, decided by source and seed."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from coin_retrieval.prototypes.base import Prototyper
from coin_retrieval.types import Provenance, ReportSource, RgbImage, Source, content_digest

SIDE_PX = 16


class NoisePrototyper(Prototyper):
    """Pictures in four steps, two at once; ``drawn`` lists the seeds in the order they were drawn.

    A report of the one word "blank" gives a flat picture, as a network that overflows does;
    it never learned to draw what "unknown" is.
    """

    batch_size = 2
    steps = 4

    def __init__(self, name: str = "noise") -> None:
        self.name = name
        self.identity = content_digest({"weights": name, "steps": self.steps})
        self.drawn: list[int] = []

    def knows(self, source: Source) -> bool:
        """See :meth:`.Prototyper.knows`."""
        return source != ReportSource("unknown")

    def _plan(self, source: Source) -> Provenance:
        return Provenance(
            generator=self.name,
            weights=content_digest({"name": self.name}),
            source=source,
            seed=0,
            steps=self.steps,
            guidance=0.0,
            width_px=SIDE_PX,
            height_px=SIDE_PX,
        )

    def _draw(self, plans: Sequence[Provenance], on_step: Callable[[int], None]) -> list[RgbImage]:
        for step in range(1, self.steps):
            on_step(step)
        self.drawn += [plan.seed for plan in plans]
        return [_noise(plan) for plan in plans]


def _noise(plan: Provenance) -> RgbImage:
    shape = (plan.height_px, plan.width_px, 3)
    if plan.source == ReportSource("blank"):
        return np.zeros(shape, np.uint8)
    return np.random.default_rng(int(plan.digest, 16)).integers(0, 256, shape, np.uint8)
