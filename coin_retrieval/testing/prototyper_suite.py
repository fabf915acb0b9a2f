"""What every prototyper keeps; a backend subclasses it and gives ``prototyper`` and ``sources``."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from coin_retrieval.errors import InputError, ReportError, UnsupportedError
from coin_retrieval.prototypes.base import MAX_PICTURES, STAGE, Prototyper
from coin_retrieval.types import ReportSource, Sample, Source

ROUNDING = 2
"""Grey levels by which a picture may differ with the batch's size, whose sums round differently."""


def draw(prototyper: Prototyper, source: Source, *, n: int = 1, seed: int = 0) -> list[Sample]:
    """Plan, then draw."""
    return prototyper.draw(prototyper.plan(source, n=n, seed=seed))


class StoppedError(Exception):
    """What a listener raises to stop a drawing."""


class PrototyperSuite:
    """The contract of :class:`coin_retrieval.prototypes.base.Prototyper`.

    ``sources`` are at least two from which it draws different pictures.
    """

    @pytest.fixture(scope="class")
    @classmethod
    def source(cls, sources: list[Source]) -> Source:
        """Any of them."""
        return sources[0]

    def test_as_many_pictures_come_as_were_asked_for(
        self, prototyper: Prototyper, source: Source
    ) -> None:
        samples = draw(prototyper, source, n=3)
        assert len(samples) == 3
        for sample in samples:
            plan = sample.provenance
            assert sample.image.shape == (plan.height_px, plan.width_px, 3)
            assert sample.image.dtype == np.uint8

    def test_the_plan_says_what_is_then_drawn(self, prototyper: Prototyper, source: Source) -> None:
        plans = prototyper.plan(source, n=2, seed=5)
        assert tuple(sample.provenance for sample in prototyper.draw(plans)) == plans
        assert [(plan.source, plan.seed) for plan in plans] == [(source, 5), (source, 6)]
        assert {plan.generator for plan in plans} == {prototyper.name}

    def test_no_plan_draws_nothing(self, prototyper: Prototyper) -> None:
        assert prototyper.draw([]) == []

    def test_the_same_seed_draws_the_same_picture(
        self, prototyper: Prototyper, source: Source
    ) -> None:
        (first,), (second,) = (draw(prototyper, source, seed=7) for _ in range(2))
        np.testing.assert_array_equal(first.image, second.image)

    def test_another_seed_draws_another_picture(
        self, prototyper: Prototyper, source: Source
    ) -> None:
        first, second = draw(prototyper, source, n=2)
        assert np.abs(first.image.astype(int) - second.image).max() > ROUNDING

    def test_another_source_draws_another_picture(
        self, prototyper: Prototyper, sources: list[Source]
    ) -> None:
        (first,), (second,) = (draw(prototyper, source) for source in sources[:2])
        assert np.any(first.image != second.image)

    def test_a_picture_does_not_depend_on_its_batch(
        self, prototyper: Prototyper, source: Source
    ) -> None:
        for i, sample in enumerate(draw(prototyper, source, n=3, seed=7)):
            (alone,) = draw(prototyper, source, seed=7 + i)
            assert np.abs(alone.image.astype(int) - sample.image).max() <= ROUNDING
            assert alone.provenance.digest == sample.provenance.digest

    def test_a_picture_does_not_depend_on_the_sources_drawn_beside_it(
        self, prototyper: Prototyper, sources: list[Source]
    ) -> None:
        plans = [plan for i, s in enumerate(sources) for plan in prototyper.plan(s, n=1, seed=i)]
        samples = prototyper.draw(plans)
        assert [sample.provenance for sample in samples] == plans
        for plan, sample in zip(plans, samples, strict=True):
            (alone,) = prototyper.draw([plan])
            assert np.abs(alone.image.astype(int) - sample.image).max() <= ROUNDING

    def test_every_step_is_told_once_and_in_order(
        self, prototyper: Prototyper, sources: list[Source]
    ) -> None:
        plans = [plan for source in sources for plan in prototyper.plan(source, n=2)]
        told: list[tuple[str, int, int]] = []

        def listen(stage: str, done: int, of: int) -> None:
            told.append((stage, done, of))

        prototyper.draw(plans, on=listen)
        (total,) = {of for _, _, of in told}
        assert {stage for stage, _, _ in told} == {STAGE}
        done = [steps for _, steps, _ in told]
        assert (done[0], done[-1]) == (0, total)
        assert done == sorted(set(done))

    def test_what_the_listener_raises_stops_the_drawing_and_the_next_one_draws(
        self, prototyper: Prototyper, source: Source
    ) -> None:
        (expected,) = draw(prototyper, source)

        def stop(stage: str, done: int, of: int) -> None:
            if done:
                raise StoppedError

        with pytest.raises(StoppedError):
            prototyper.draw(prototyper.plan(source, n=1), on=stop)
        (sample,) = draw(prototyper, source)
        np.testing.assert_array_equal(sample.image, expected.image)

    def test_a_report_without_words_is_refused(self, prototyper: Prototyper) -> None:
        draws_reports = ReportSource in prototyper.sources
        with pytest.raises(ReportError if draws_reports else UnsupportedError):
            prototyper.plan(ReportSource(" \n\t"))

    @pytest.mark.parametrize(
        ("n", "seed"), [(0, 0), (MAX_PICTURES + 1, 0), (1, -1), (4, 2**63 - 4), (1, 2**63)]
    )
    def test_what_is_out_of_range_is_refused(
        self, prototyper: Prototyper, source: Source, n: int, seed: int
    ) -> None:
        with pytest.raises(InputError):
            prototyper.plan(source, n=n, seed=seed)

    @pytest.mark.parametrize("field", ["weights", "steps", "width_px"])
    def test_what_another_prototyper_planned_is_refused_before_anything_is_drawn(
        self, prototyper: Prototyper, source: Source, field: str
    ) -> None:
        own, other = prototyper.plan(source, n=2)
        foreign = replace(other, **{field: 2 * getattr(other, field)})
        told: list[int] = []

        def listen(stage: str, done: int, of: int) -> None:
            told.append(done)

        with pytest.raises(InputError, match="plan it again"):
            prototyper.draw([own, foreign], on=listen)
        assert told == []
