"""What every generator keeps; a backend subclasses it and gives the fixture ``generator``."""

from __future__ import annotations

import numpy as np
import pytest

from coin_retrieval.errors import InputError, ReportError
from coin_retrieval.generation.base import MAX_PICTURES, Generator
from coin_retrieval.types import GenerationRequest

ROUNDING = 2
"""Grey levels by which a picture may differ with the batch's size, whose sums round differently."""


class GeneratorSuite:
    """The contract of :class:`coin_retrieval.generation.base.Generator`."""

    def test_as_many_pictures_come_as_were_asked_for(self, generator: Generator) -> None:
        samples = generator.generate(GenerationRequest("an eosinophil", n=3))
        assert len(samples) == 3
        for sample in samples:
            plan = sample.provenance
            assert sample.image.shape == (plan.height_px, plan.width_px, 3)
            assert sample.image.dtype == np.uint8

    def test_the_plan_says_what_is_then_drawn(self, generator: Generator) -> None:
        request = GenerationRequest("an eosinophil", n=2, seed=5)
        samples = generator.generate(request)
        assert [sample.provenance for sample in samples] == generator.plan(request)
        assert [sample.provenance.seed for sample in samples] == [5, 6]

    def test_the_same_seed_draws_the_same_picture(self, generator: Generator) -> None:
        request = GenerationRequest("an eosinophil", n=1, seed=7)
        (first,), (second,) = generator.generate(request), generator.generate(request)
        np.testing.assert_array_equal(first.image, second.image)

    def test_another_seed_draws_another_picture(self, generator: Generator) -> None:
        first, second = generator.generate(GenerationRequest("an eosinophil", n=2))
        assert np.abs(first.image.astype(int) - second.image).max() > ROUNDING

    def test_a_picture_does_not_depend_on_its_batch(self, generator: Generator) -> None:
        batch = generator.generate(GenerationRequest("an eosinophil", n=3, seed=7))
        for i, sample in enumerate(batch):
            request = GenerationRequest("an eosinophil", n=1, seed=7 + i)
            (alone,) = generator.generate(request)
            assert np.abs(alone.image.astype(int) - sample.image).max() <= ROUNDING
            assert alone.provenance.digest == sample.provenance.digest

    def test_a_picture_does_not_depend_on_the_reports_drawn_beside_it(
        self, generator: Generator
    ) -> None:
        prompts = ["an eosinophil", "a lymphocyte in urine, " * 12, "koilocytes", "platelets"]
        requests = [GenerationRequest(prompt, n=1, seed=i) for i, prompt in enumerate(prompts)]
        samples = generator.draw([plan for request in requests for plan in generator.plan(request)])
        assert [sample.provenance.prompt for sample in samples] == prompts
        for request, sample in zip(requests, samples, strict=True):
            (alone,) = generator.generate(request)
            assert np.abs(alone.image.astype(int) - sample.image).max() <= ROUNDING
            assert alone.provenance == sample.provenance

    def test_plans_of_several_sizes_are_drawn_each_in_its_size(self, generator: Generator) -> None:
        sizes = [(48, 32), (32, 48), (48, 32)]
        plans = [
            plan
            for width_px, height_px in sizes
            for plan in generator.plan(
                GenerationRequest("an eosinophil", n=1, width_px=width_px, height_px=height_px)
            )
        ]
        shapes = [sample.image.shape for sample in generator.draw(plans)]
        assert shapes == [(height_px, width_px, 3) for width_px, height_px in sizes]

    def test_another_prompt_draws_another_picture(self, generator: Generator) -> None:
        (first,) = generator.generate(GenerationRequest("an eosinophil", n=1))
        (second,) = generator.generate(GenerationRequest("a lymphocyte in urine", n=1))
        assert np.any(first.image != second.image)

    def test_the_size_asked_for_is_drawn(self, generator: Generator) -> None:
        request = GenerationRequest("an eosinophil", n=1, width_px=48, height_px=32)
        (sample,) = generator.generate(request)
        assert sample.image.shape == (32, 48, 3)

    @pytest.mark.parametrize("prompt", ["", " \n\t"])
    def test_an_empty_prompt_is_refused(self, generator: Generator, prompt: str) -> None:
        with pytest.raises(ReportError):
            generator.generate(GenerationRequest(prompt))

    @pytest.mark.parametrize(
        "request_",
        [
            GenerationRequest("x", n=0),
            GenerationRequest("x", n=MAX_PICTURES + 1),
            GenerationRequest("x", seed=-1),
            GenerationRequest("x", seed=2**63),
            GenerationRequest("x", width_px=33),
            GenerationRequest("x", height_px=100_000),
            GenerationRequest("x", steps=10_000),
            GenerationRequest("x", guidance=-1.0),
        ],
        ids=str,
    )
    def test_what_is_out_of_range_is_refused(
        self, generator: Generator, request_: GenerationRequest
    ) -> None:
        with pytest.raises(InputError):
            generator.plan(request_)
