"""The translator's role: a prototyper whose source is a picture."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Sequence

import numpy as np

from coin_retrieval.images.resizing import fit_square
from coin_retrieval.prototypes.base import Prototyper, picture_of
from coin_retrieval.types import PictureSource, Provenance, RgbImage, Source

_SYMMETRIES = 8


class Translator(Prototyper):
    """Translates squares of ``side_px``.

    A translation has no noise to be drawn anew: the picture of seed s is translated in the (s mod
    8)-th of the square's orientations and turned back, so that several of them average out what
    only the orientation did.

    Backends set ``side_px``, ``steps`` and what every :class:`.Prototyper` sets, and implement
    :meth:`_translate`.
    """

    sources = (PictureSource,)
    side_px: int
    steps: int = 1
    batch_size = 8

    def _plan(self, source: Source) -> Provenance:
        return Provenance(
            generator=self.name,
            weights=self.identity,
            source=source,
            seed=0,
            steps=self.steps,
            guidance=0.0,
            width_px=self.side_px,
            height_px=self.side_px,
        )

    def _draw(self, plans: Sequence[Provenance], on_step: Callable[[int], None]) -> list[RgbImage]:
        turned = [
            _turn(fit_square(picture_of(plan.source), self.side_px), plan.seed % _SYMMETRIES)
            for plan in plans
        ]
        translated = self._translate(turned, on_step)
        return [
            _turn_back(image, plan.seed % _SYMMETRIES)
            for image, plan in zip(translated, plans, strict=True)
        ]

    @abstractmethod
    def _translate(
        self, images: Sequence[RgbImage], on_step: Callable[[int], None]
    ) -> list[RgbImage]:
        """Of squares of ``side_px``, each as if it were alone."""


def _turn(image: RgbImage, which: int) -> RgbImage:
    turned = np.rot90(image, which % 4)
    return np.ascontiguousarray(turned[:, ::-1] if which >= 4 else turned)


def _turn_back(image: RgbImage, which: int) -> RgbImage:
    turned = image[:, ::-1] if which >= 4 else image
    return np.ascontiguousarray(np.rot90(turned, -(which % 4)))
