"""Pictures drawn from the picture of a question, and searched with it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from coin_retrieval.archive import Archive
from coin_retrieval.encoding.open_clip.encoder import OpenClipEncoder
from coin_retrieval.errors import InputError, UnsupportedError
from coin_retrieval.factory import starter_generator_settings
from coin_retrieval.generation.diffusers import DiffusersGenerator
from coin_retrieval.images.decoding import load_image
from coin_retrieval.images.resizing import fit_square
from coin_retrieval.prototypes.cache import PrototypeCache
from coin_retrieval.search.query import Query
from coin_retrieval.search.retriever import Retriever
from coin_retrieval.starter import DEMONSTRATION
from coin_retrieval.testing.noise_prototyper import NoisePrototyper
from coin_retrieval.types import PictureSource, RgbImage


@pytest.fixture
def retriever(
    archive: Archive, encoder: OpenClipEncoder, generator: DiffusersGenerator, tmp_path: Path
) -> Retriever:
    return Retriever(archive, encoder, generator, PrototypeCache(tmp_path / "cache"))


def test_what_is_drawn_from_a_picture_is_searched_with_it_and_kept_nowhere(
    retriever: Retriever, patches: list[RgbImage]
) -> None:
    plan = retriever.plan(Query(variations=3, seed=7, k=2), patches[5])
    assert retriever.must_draw(plan)
    found = retriever.run(plan)
    assert [sample.provenance.seed for sample in found.variations] == [7, 8, 9]
    match = found.cases[0].matches[0]
    assert [(part.kind, part.label) for part in match.parts] == [
        ("image", ""), ("variation", "7"), ("variation", "8"), ("variation", "9"),
    ]  # fmt: skip
    assert match.score == pytest.approx(sum(part.share for part in match.parts), abs=1e-6)
    assert found.prototypes == ()
    assert not retriever.cache.root.exists()


def test_the_starter_draws_near_to_the_picture_that_it_draws_from() -> None:
    starter = DiffusersGenerator(starter_generator_settings())
    files = sorted((DEMONSTRATION / "images").iterdir())
    own, other = (fit_square(load_image(file), 128).astype(int) for file in (files[0], files[-1]))
    for sample in starter.draw(starter.plan(PictureSource.of(own.astype(np.uint8)), n=2)):
        apart = [float(np.abs(sample.image - picture).mean()) for picture in (own, other)]
        assert 0 < apart[0] < apart[1] / 2


def test_the_public_plan_names_neither_picture_nor_pixels(
    retriever: Retriever, patches: list[RgbImage]
) -> None:
    plans = [retriever.plan(Query(variations=n), patches[5]).public() for n in (1, 2)]
    assert [len(plan.variations) for plan in plans] == [1, 2]
    assert plans[0].digest != plans[1].digest


def test_variations_need_a_picture(retriever: Retriever) -> None:
    with pytest.raises(InputError, match="no picture to draw variations of"):
        retriever.plan(Query(report="Koilocytes.", variations=2))


def test_a_generator_that_cannot_draw_from_pictures_says_so(
    archive: Archive, encoder: OpenClipEncoder, patches: list[RgbImage], tmp_path: Path
) -> None:
    retriever = Retriever(archive, encoder, NoisePrototyper(), PrototypeCache(tmp_path))
    assert not retriever.planner.varies
    with pytest.raises(UnsupportedError, match="does not draw from this"):
        retriever.plan(Query(variations=2), patches[5])
