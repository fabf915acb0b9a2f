"""A picture of another scale, on an archive whose pictures tell theirs."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from tiny_archives import build_archive, write_table

from coin_retrieval.encoding.open_clip.encoder import OpenClipEncoder
from coin_retrieval.factory import open_archive
from coin_retrieval.prototypes.cache import PrototypeCache
from coin_retrieval.search.query import Query
from coin_retrieval.search.retriever import Retriever
from coin_retrieval.types import RgbImage

MPP_UM = 0.25


def field(number: int) -> RgbImage:
    """A seeded picture of 96 px, of which the archive has the middle half."""
    random = np.random.default_rng(number)
    coarse = random.integers(0, 256, (12, 12, 3), np.uint8)
    return np.asarray(Image.fromarray(coarse).resize((96, 96), Image.Resampling.BICUBIC))


@pytest.fixture
def retriever(encoder: OpenClipEncoder, tmp_path: Path) -> Retriever:
    rows = []
    for number in range(8):
        Image.fromarray(field(number)[24:72, 24:72]).save(tmp_path / f"{number}.png")
        scale = {"mpp_um": str(MPP_UM)} if number < 6 else {}
        site = "cervix" if number < 6 else "urine"
        rows.append({"image_path": f"{number}.png", "case_id": f"c{number}", "site": site, **scale})
    build_archive(tmp_path / "archive", write_table(tmp_path / "cases.csv", rows), encoder=encoder)
    archive = open_archive(tmp_path / "archive")
    return Retriever(archive, encoder, None, PrototypeCache(tmp_path / "cache"))


def test_a_wider_field_finds_its_own_middle_and_says_what_was_done(retriever: Retriever) -> None:
    plan = retriever.plan(Query(k=3, image_mpp_um=MPP_UM), field(2))
    found = retriever.run(plan)
    nearest = [*found.own, *found.cases]
    assert max(nearest, key=lambda case: case.similarity).case.case_id == "c2"
    assert max(case.similarity for case in nearest) == pytest.approx(1, abs=1e-5)
    assert plan.public().magnified == 2
    assert "its middle was searched with, magnified 2 times" in found.notices[0]


def test_without_a_scale_of_either_the_picture_is_left_as_it_is(retriever: Retriever) -> None:
    unsaid = retriever.plan(Query(k=3), field(2))
    unknown = retriever.plan(Query(k=3, image_mpp_um=MPP_UM, where={"site": "urine"}), field(2))
    for plan in (unsaid, unknown):
        assert plan.scale is None
        assert plan.public().magnified is None
        found = retriever.run(plan)
        assert max(case.similarity for case in (*found.own, *found.cases)) < 0.9999
    assert "not known" in found.notices[-1]
