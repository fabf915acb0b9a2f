from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from coin_retrieval.config import FusionSettings, ModalityMeans
from coin_retrieval.encoding.base import unit_rows
from coin_retrieval.errors import SettingsError
from coin_retrieval.retrieval.fusion import (
    blend,
    centred,
    fuse,
    mean_direction,
    reciprocal_rank_fusion,
)
from coin_retrieval.types import Embeddings, Hit, ImageId


@st.composite
def unit_embeddings(draw: st.DrawFn, *, n: int | None = None, dim: int = 6) -> Embeddings:
    """Rows in one half-space, as an encoder's are, so that no mean of them vanishes."""
    count = n or draw(st.integers(1, 5))
    values = hnp.arrays(np.float32, (count, dim), elements=st.floats(-1, 1, width=32))
    rows = draw(values)
    rows[:, 0] = np.abs(rows[:, 0]) + 0.25
    return unit_rows(rows)


def ranking(*ids: int) -> list[Hit]:
    return [Hit(ImageId(i), 1 - rank / 100) for rank, i in enumerate(ids)]


@given(unit_embeddings())
def test_the_mean_of_embeddings_has_norm_1(rows: Embeddings) -> None:
    assert np.linalg.norm(mean_direction(rows)) == pytest.approx(1, abs=1e-5)


@given(unit_embeddings(), st.randoms())
def test_the_mean_does_not_depend_on_the_order_of_prototypes(rows: Embeddings, random) -> None:
    order = list(range(len(rows)))
    random.shuffle(order)
    np.testing.assert_allclose(mean_direction(rows), mean_direction(rows[order]), atol=1e-6)


@given(unit_embeddings(n=1), unit_embeddings())
def test_a_text_weight_of_1_is_the_text_and_of_0_the_prototypes(
    text: Embeddings, prototypes: Embeddings
) -> None:
    only_text = fuse(FusionSettings(text_weight=1), text=text, prototypes=prototypes)
    only_picture = fuse(FusionSettings(text_weight=0), text=text, prototypes=prototypes)
    np.testing.assert_allclose(only_text.direction, text, atol=1e-5)
    np.testing.assert_allclose(only_picture.direction, mean_direction(prototypes), atol=1e-5)


@given(unit_embeddings(n=1), unit_embeddings(n=1), st.floats(0, 0.9))
def test_more_text_weight_moves_the_query_towards_the_text(
    text: Embeddings, picture: Embeddings, weight: float
) -> None:
    less = blend(text, picture, text_weight=weight)
    more = blend(text, picture, text_weight=weight + 0.1)
    assert (more @ text.T).item() >= (less @ text.T).item() - 1e-5


@given(unit_embeddings(n=1), unit_embeddings(), st.floats(0, 1))
def test_shares_of_text_and_prototypes_sum_to_1(
    text: Embeddings, prototypes: Embeddings, weight: float
) -> None:
    fused = fuse(FusionSettings(text_weight=weight), text=text, prototypes=prototypes)
    assert fused.weights.sum() == pytest.approx(1)
    assert fused.weights[0] == pytest.approx(weight)
    assert len(fused.weights) == len(fused.rows) == 1 + len(prototypes)


def test_without_means_nothing_moves() -> None:
    rows = unit_rows(np.array([[1.0, 2.0]], np.float32))
    assert centred(rows, "text", None) is rows


def test_centring_brings_a_shifted_modality_back_to_the_real_one() -> None:
    random = np.random.default_rng(0)
    real = unit_rows(random.normal(size=(200, 16)) + 3 * np.eye(16)[0])
    drawn = unit_rows(real + 1.5 * np.eye(16)[1].astype(np.float32))
    means = ModalityMeans(
        text=tuple(np.zeros(16)),
        generated=tuple(drawn.mean(0).tolist()),
        real=tuple(real.mean(0).tolist()),
    )
    before = np.sum(drawn * real, axis=1).mean()
    after = np.sum(centred(drawn, "generated", means) * real, axis=1).mean()
    assert after > before + 0.02


def test_each_modality_is_moved_by_its_own_mean() -> None:
    rows = unit_rows(np.array([[1.0, 1.0]], np.float32))
    means = ModalityMeans(text=(0.5, 0.0), generated=(0.0, 0.5), real=(0.0, 0.0))
    fused = fuse(FusionSettings(means=means, centring=True), text=rows, prototypes=rows)
    assert fused.rows[0, 0] < fused.rows[0, 1]
    assert fused.rows[1, 0] > fused.rows[1, 1]


def test_means_of_another_encoder_are_refused() -> None:
    rows = unit_rows(np.ones((1, 4), np.float32))
    means = ModalityMeans(text=(0.0,) * 3, generated=(0.0,) * 3, real=(0.0,) * 3)
    with pytest.raises(SettingsError, match="another encoder"):
        fuse(FusionSettings(means=means, centring=True), text=rows)


def test_means_of_different_lengths_are_refused() -> None:
    with pytest.raises(ValueError, match="same number"):
        ModalityMeans(text=(0.0,), generated=(0.0, 0.0), real=(0.0,))


def test_rank_fusion_matches_the_formula_by_hand() -> None:
    merged = reciprocal_rank_fusion([ranking(1, 2, 3), ranking(3, 1)], [0.5, 0.5])
    # 1: 1/61 + 1/62, 3: 1/63 + 1/61, 2: 1/62
    assert merged == [1, 3, 2]


rankings_of_ids = st.lists(
    st.lists(st.integers(0, 30), unique=True, max_size=12), min_size=1, max_size=4
)


@given(rankings_of_ids)
def test_rank_fusion_keeps_every_id_once(rankings: list[list[int]]) -> None:
    merged = reciprocal_rank_fusion([ranking(*ids) for ids in rankings], [1.0] * len(rankings))
    assert sorted(merged) == sorted({i for ids in rankings for i in ids})


@given(st.lists(st.integers(0, 30), unique=True, max_size=12), st.integers(1, 4))
def test_rank_fusion_of_equal_rankings_changes_nothing(ids: list[int], copies: int) -> None:
    assert reciprocal_rank_fusion([ranking(*ids)] * copies, [1 / copies] * copies) == ids


@given(rankings_of_ids)
def test_an_id_that_leads_every_ranking_leads_the_fused_one(rankings: list[list[int]]) -> None:
    led = [ranking(99, *ids) for ids in rankings]
    assert reciprocal_rank_fusion(led, [1.0] * len(led))[0] == 99
