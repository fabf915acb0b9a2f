"""The generator's role: a prompt to synthetic pictures, each with its provenance."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import replace
from itertools import groupby

import numpy as np

from coin_retrieval.errors import GenerationError, InputError, ReportError
from coin_retrieval.types import GenerationRequest, Provenance, RgbImage, Sample

MAX_PICTURES = 64
_BLANK_RANGE = 4


class Generator(ABC):
    """Draws pictures. Backends implement :meth:`plan` and :meth:`_draw`.

    Not thread-safe: one caller at a time.
    """

    name: str

    def generate(self, request: GenerationRequest) -> list[Sample]:
        """Draw ``request.n`` pictures; picture i uses seed ``request.seed + i`` on its own.

        Raises:
            ReportError: the prompt is empty.
            InputError: ``n`` is out of range.
            GenerationError: a picture came out blank or non-finite.
        """
        return self.draw(self.plan(request))

    def draw(self, plans: Sequence[Provenance]) -> list[Sample]:
        """Draw what :meth:`plan` planned, in order; several prompts are drawn in one batch.

        Raises:
            GenerationError: a picture came out blank or non-finite.
        """
        samples: list[Sample] = []
        for _, alike in groupby(plans, key=_settings_of):
            group = list(alike)
            for plan, image in zip(group, self._draw(group), strict=True):
                _refuse_blank(image, plan)
                samples.append(Sample(image, plan))
        return samples

    def plan(self, request: GenerationRequest) -> list[Provenance]:
        """What :meth:`generate` would draw, with all defaults filled in: the cache's keys.

        Raises:
            ReportError: the prompt is empty.
            InputError: ``n`` is out of range.
        """
        if not request.prompt.strip():
            raise ReportError("nothing to draw: the prompt is empty", expected="report text")
        if not 1 <= request.n <= MAX_PICTURES:
            raise InputError(
                "number of pictures out of range", value=request.n, expected=f"1 to {MAX_PICTURES}"
            )
        return self._plan(request)

    @abstractmethod
    def _plan(self, request: GenerationRequest) -> list[Provenance]:
        """One provenance a picture."""

    @abstractmethod
    def _draw(self, plans: Sequence[Provenance]) -> list[RgbImage]:
        """The pictures of these plans, which share all but their prompts and seeds.

        Raises:
            GenerationError: non-finite values.
        """


def _settings_of(plan: Provenance) -> Provenance:
    return replace(plan, prompt="", seed=0, dropped_text="")


def _refuse_blank(image: RgbImage, plan: Provenance) -> None:
    """A black or flat picture means that the numbers overflowed (diffusers issue 7310)."""
    if int(np.ptp(image)) < _BLANK_RANGE:
        raise GenerationError(
            "the generator drew a blank picture",
            value=f"seed {plan.seed}, all pixels near {int(image.mean())}",
            expected="a picture with contrast",
            remedy="use dtype bfloat16 or float32, or another seed",
        )
