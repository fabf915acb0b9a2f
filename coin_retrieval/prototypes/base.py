"""The prototyper's role: a source to synthetic pictures, each with its provenance."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np

from coin_retrieval.errors import (
    GenerationError,
    InputError,
    ReportError,
    UndrawableError,
    UnsupportedError,
)
from coin_retrieval.progress import Progress, silent
from coin_retrieval.types import (
    PictureSource,
    Provenance,
    ReportSource,
    RgbImage,
    Sample,
    Source,
)

Drawn = Callable[[Sample], object]
"""Gets a picture that was drawn."""

MAX_PICTURES = 64
STAGE = "drawing"
_MAX_SEED = 2**63 - 1
_BLANK_RANGE = 4


class Prototyper(ABC):
    """Makes pictures from sources: generation from a report, translation from a picture.

    Backends set ``name`` (for people), ``identity`` (SHA-256, hex, of all that shapes their
    pictures besides source and seed: what was measured with one says nothing about another) and
    ``sources`` (the kinds they draw from), and implement :meth:`_plan` and :meth:`_draw`.
    :meth:`plan` is called by several threads at once, :meth:`draw` by one at a time where it is
    ``serial``.
    """

    name: str
    identity: str
    sources: tuple[type[Source], ...] = (ReportSource,)
    batch_size: int = 1
    serial: bool = True

    def load(self) -> None:  # noqa: B027 - where the constructor loads, nothing is left to do
        """Load the networks now, so that nobody waits for them later.

        Raises:
            ModelError, SettingsError: weights or settings that do not fit.
        """

    def knows(self, source: Source) -> bool:
        """Whether it learned to draw what the source states; what cannot tell, knows everything."""
        del source
        return True

    def plan(self, source: Source, *, n: int = 4, seed: int = 0) -> tuple[Provenance, ...]:
        """What :meth:`draw` will draw, the cache's keys: picture i is of seed ``seed + i`` alone.

        Raises:
            UnsupportedError: a kind of source that it does not draw from.
            ReportError: the report is empty.
            InputError: ``n`` or ``seed`` is out of range.
        """
        if not isinstance(source, self.sources):
            raise UnsupportedError(
                f"{self.name} does not draw from this",
                value=source.kind,
                expected=", ".join(kind.kind for kind in self.sources),
            )
        if isinstance(source, ReportSource) and not source.text.strip():
            raise ReportError("nothing to draw: the prompt is empty", expected="report text")
        if not 1 <= n <= MAX_PICTURES:
            raise InputError(
                "number of pictures out of range", value=n, expected=f"1 to {MAX_PICTURES}"
            )
        if not 0 <= seed <= _MAX_SEED - n:
            raise InputError("seed out of range", value=seed, expected=f"0 to {_MAX_SEED - n}")
        first = self._plan(source)
        return tuple(replace(first, seed=seed + i) for i in range(n))

    def draw(
        self,
        plans: Sequence[Provenance],
        *,
        on: Progress = silent,
        drawn: Drawn = lambda sample: None,
    ) -> list[Sample]:
        """Draw what :meth:`plan` planned, in order; several sources are drawn in one batch.

        Args:
            on: told of every step of stage ``drawing``; what it raises stops the drawing there.
            drawn: gets each picture as soon as its batch is drawn, in the caller's thread.

        Raises:
            InputError: a plan of another prototyper.
            UndrawableError: a source that it does not know.
            GenerationError: a picture came out blank or non-finite.
        """
        self._refuse_foreign(plans)
        self._refuse_unknown(plans)
        return self._drawn(plans, on, drawn)

    def _drawn(self, plans: Sequence[Provenance], on: Progress, drawn: Drawn) -> list[Sample]:
        """:meth:`draw`, once it is known that the plans can be drawn."""
        batches = self._batches(plans)
        steps = sum(batch[0].steps for batch in batches)
        samples: list[Sample] = []
        behind = 0
        on(STAGE, 0, steps)
        for batch in batches:
            images = self._draw(batch, _steps_after(behind, steps, on))
            for plan, image in zip(batch, images, strict=True):
                _refuse_blank(image, plan)
                samples.append(Sample(image, plan))
                drawn(samples[-1])
            behind += batch[0].steps
            on(STAGE, behind, steps)
        return samples

    @abstractmethod
    def _plan(self, source: Source) -> Provenance:
        """The plan of seed 0, with all defaults filled in."""

    @abstractmethod
    def _draw(self, plans: Sequence[Provenance], on_step: Callable[[int], None]) -> list[RgbImage]:
        """The pictures of one batch.

        Args:
            on_step: may be told how many of the steps lie behind, below the plans' ``steps``: the
                last one is told by :meth:`draw`, when the pictures are there.

        Raises:
            GenerationError: non-finite values.
        """

    def _batches(self, plans: Sequence[Provenance]) -> list[Sequence[Provenance]]:
        """``batch_size`` plans each, in order; a backend may cut them smaller."""
        return [plans[i : i + self.batch_size] for i in range(0, len(plans), self.batch_size)]

    def _refuse_unknown(self, plans: Sequence[Provenance]) -> None:
        if not all(self.knows(source) for source in {plan.source for plan in plans}):
            raise UndrawableError(
                "the report states what this generator never learned to draw",
                value=self.name,
                expected="findings that its training pictures show",
                remedy="search by text, or set a generator that knows them",
            )

    def _refuse_foreign(self, plans: Sequence[Provenance]) -> None:
        for plan in dict.fromkeys(replace(plan, seed=0) for plan in plans):
            if plan != self._plan(plan.source):
                raise InputError(
                    "this was planned by another prototyper, or with other settings",
                    value=f"{plan.generator} (weights {plan.weights[:12]})",
                    expected=self.name,
                    remedy="plan it again",
                )


def picture_of(source: Source) -> RgbImage:
    """The picture that it was made of.

    Raises:
        InputError: it is not at hand.
    """
    image = source.image if isinstance(source, PictureSource) else None
    if image is None:
        raise InputError(
            "the picture to draw from is not at hand",
            expected="a source that was made of a picture",
            remedy="plan again from the picture itself",
        )
    return image


def _steps_after(behind: int, steps: int, on: Progress) -> Callable[[int], None]:
    return lambda step: on(STAGE, behind + step, steps)


def _refuse_blank(image: RgbImage, plan: Provenance) -> None:
    """A black or flat picture means that the numbers overflowed (diffusers issue 7310)."""
    if int(np.ptp(image)) < _BLANK_RANGE:
        raise GenerationError(
            "the generator drew a blank picture",
            value=f"seed {plan.seed}, all pixels near {int(image.mean())}",
            expected="a picture with contrast",
            remedy="use dtype bfloat16 or float32, or another seed",
        )
