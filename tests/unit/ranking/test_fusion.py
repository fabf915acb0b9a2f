from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from coin_retrieval.config import FusionMethod, FusionSettings, ModalityMeans
from coin_retrieval.encoding.base import unit_rows
from coin_retrieval.errors import InputError, SettingsError
from coin_retrieval.ranking.fusion import (
    Feedback,
    blend,
    centred,
    excluding,
    fuse,
    maximum_fusion,
    mean_direction,
    reciprocal_rank_fusion,
    rocchio,
    similarities,
)
from coin_retrieval.ranking.whitening import whitening_of
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


def far_apart() -> ModalityMeans:
    return ModalityMeans(text=(0.5, 0.0), generated=(0.0, 0.5), real=(0.0, 0.0))


def test_a_shift_moves_drawn_pictures_and_leaves_texts() -> None:
    rows = unit_rows(np.array([[1.0, 1.0]], np.float32))
    fused = fuse(FusionSettings(means=far_apart(), shift=True), text=rows, prototypes=rows)
    np.testing.assert_array_equal(fused.rows[0], rows[0])
    assert fused.rows[1, 0] > fused.rows[1, 1]


def test_a_shift_adds_nothing_to_centring() -> None:
    rows = unit_rows(np.array([[1.0, 0.7]], np.float32))
    both = FusionSettings(means=far_apart(), shift=True, centring=True)
    centring = FusionSettings(means=far_apart(), centring=True)
    np.testing.assert_array_equal(
        fuse(both, text=rows, prototypes=rows).rows, fuse(centring, text=rows, prototypes=rows).rows
    )


def test_means_alone_move_nothing() -> None:
    rows = unit_rows(np.array([[1.0, 0.7]], np.float32))
    fused = fuse(FusionSettings(means=far_apart()), text=rows, prototypes=rows)
    np.testing.assert_array_equal(fused.rows, np.concatenate([rows, rows]))


@pytest.mark.parametrize("correction", ["centring", "shift"])
def test_a_correction_without_means_is_refused(correction: str) -> None:
    with pytest.raises(ValueError, match="need means"):
        FusionSettings.model_validate({correction: True})


@given(unit_embeddings(n=1), unit_embeddings(), unit_embeddings(), st.floats(0, 1))
def test_the_maximum_is_the_best_of_the_searches_with_each_prototype(
    text: Embeddings, prototypes: Embeddings, archive: Embeddings, weight: float
) -> None:
    settings = FusionSettings(method="max", text_weight=weight)
    fused = fuse(settings, text=text, prototypes=prototypes)
    alone = [fuse(settings, text=text, prototypes=p[None]).direction for p in prototypes]
    best = np.max([(archive @ row.T)[:, 0] for row in alone], axis=0)
    np.testing.assert_allclose(similarities(fused, archive), best, atol=1e-5)


@given(unit_embeddings(), unit_embeddings(n=1), st.sampled_from(["mean", "rrf", "max"]))
def test_an_image_without_weight_changes_no_direction(
    prototypes: Embeddings, image: Embeddings, method: str
) -> None:
    settings = FusionSettings.model_validate({"method": method, "image_weight": 0})
    with_image = fuse(settings, prototypes=prototypes, image=image)
    np.testing.assert_allclose(
        with_image.direction, fuse(settings, prototypes=prototypes).direction, atol=1e-5
    )
    assert with_image.weights.sum() == pytest.approx(1)
    assert len(with_image.weights) == len(with_image.rows)


@given(unit_embeddings(n=1), unit_embeddings(n=1))
def test_an_image_counts_by_its_own_weight(text: Embeddings, image: Embeddings) -> None:
    fused = fuse(FusionSettings(image_weight=0.3), text=text, image=image)
    np.testing.assert_allclose(fused.direction, blend(text, image, text_weight=0.7), atol=1e-5)
    np.testing.assert_allclose(fused.weights, [0.7, 0.3])


@given(unit_embeddings(n=1))
def test_an_image_alone_is_itself(image: Embeddings) -> None:
    np.testing.assert_array_equal(fuse(FusionSettings(), image=image).direction, image)


@given(unit_embeddings(n=1), unit_embeddings())
def test_liked_cases_draw_the_query_nearer_and_disliked_ones_push_it_away(
    query: Embeddings, marked: Embeddings
) -> None:
    centre = mean_direction(marked)
    weights = {"liked_weight": 0.75, "disliked_weight": 0.15}
    near = rocchio(query, Feedback(liked=marked), **weights)
    far = rocchio(query, Feedback(disliked=marked), **weights)
    before = (query @ centre.T).item()
    assert (near @ centre.T).item() >= before - 1e-5
    assert (far @ centre.T).item() <= before + 1e-5


@given(unit_embeddings(n=1))
def test_feedback_without_marks_changes_nothing(query: Embeddings) -> None:
    moved = rocchio(query, Feedback(), liked_weight=0.75, disliked_weight=0.15)
    np.testing.assert_allclose(moved, query, atol=1e-6)


@given(unit_embeddings(n=1), unit_embeddings(n=1), unit_embeddings())
def test_excluding_lowers_each_picture_by_its_likeness_to_what_is_excluded(
    query: Embeddings, unlike: Embeddings, archive: Embeddings
) -> None:
    left = query - 0.5 * unlike
    scores = archive @ excluding(query, unlike, weight=0.5).T * np.linalg.norm(left)
    np.testing.assert_allclose(scores, archive @ query.T - 0.5 * archive @ unlike.T, atol=1e-5)


@given(unit_embeddings(n=1), unit_embeddings(n=2), unit_embeddings(), unit_embeddings(n=1))
def test_marks_move_every_row_of_a_query_by_the_settings_weights(
    text: Embeddings, prototypes: Embeddings, marked: Embeddings, unlike: Embeddings
) -> None:
    settings = FusionSettings(liked_weight=0.6, disliked_weight=0.1, unlike_weight=0.2)
    feedback = Feedback(liked=marked, disliked=marked[:1], unlike=unlike)
    plain = fuse(settings, text=text, prototypes=prototypes)
    moved = fuse(settings, text=text, prototypes=prototypes, feedback=feedback)

    def by_hand(rows: Embeddings) -> Embeddings:
        towards = unit_rows(rows + 0.6 * marked.mean(axis=0) - 0.1 * marked[0])
        return unit_rows(towards - 0.2 * unlike)

    np.testing.assert_allclose(moved.direction, by_hand(plain.direction), atol=1e-5)
    np.testing.assert_allclose(moved.rows, by_hand(plain.rows), atol=1e-5)
    np.testing.assert_array_equal(moved.weights, plain.weights)


def test_marks_are_weighed_before_the_metric_of_the_archive() -> None:
    random = np.random.default_rng(3)
    vectors = unit_rows(random.normal(size=(60, 6)) - 2 * np.eye(6)[0])
    space = whitening_of(vectors, strength=0.5)
    feedback = Feedback(liked=vectors[1:2])
    moved = fuse(FusionSettings(), text=vectors[:1], feedback=feedback)
    np.testing.assert_allclose(
        fuse(FusionSettings(), text=vectors[:1], feedback=feedback, space=space).direction,
        fuse(FusionSettings(), text=moved.direction, space=space).direction,
        atol=1e-5,
    )


def test_excluding_what_is_looked_for_is_refused() -> None:
    rows = unit_rows(np.ones((1, 4), np.float32))
    with pytest.raises(InputError, match="the same"):
        excluding(rows, rows, weight=1)


@given(unit_embeddings(n=1), unit_embeddings(n=3))
def test_every_row_of_a_query_is_whitened(text: Embeddings, prototypes: Embeddings) -> None:
    random = np.random.default_rng(0)
    vectors = unit_rows(random.normal(size=(60, 6)) - 2 * np.eye(6)[0])
    space = whitening_of(vectors, strength=0.5)
    fused = fuse(FusionSettings(), text=text, prototypes=prototypes, space=space)
    assert fused.rows.shape == (4, 6)
    np.testing.assert_allclose(np.linalg.norm(fused.rows, axis=1), 1, atol=1e-5)
    np.testing.assert_allclose(np.linalg.norm(fused.direction), 1, atol=1e-5)


def test_nothing_to_search_with_is_a_programming_error() -> None:
    with pytest.raises(ValueError, match="needs a text"):
        fuse(FusionSettings())


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


@given(rankings_of_ids)
def test_maximum_fusion_is_in_order_of_each_ids_best_similarity(rankings: list[list[int]]) -> None:
    hits = [ranking(*ids) for ids in rankings]
    merged = maximum_fusion(hits)
    every = sorted((hit for ranked in hits for hit in ranked), key=lambda hit: hit.similarity)
    best = {hit.image_id: hit.similarity for hit in every}
    assert {hit.image_id: hit.similarity for hit in merged} == best
    keys = [(-hit.similarity, hit.image_id) for hit in merged]
    assert keys == sorted(keys)


@pytest.mark.parametrize("method", ["mean", "max", "rrf"])
def test_queries_fused_beside_each_other_are_what_each_is_alone(method: FusionMethod) -> None:
    random = np.random.default_rng(0)
    texts = unit_rows(random.standard_normal((3, 1, 6)))
    drawn = unit_rows(random.standard_normal((3, 4, 6)))
    vectors = random.standard_normal((20, 6)).astype(np.float32)
    means = ModalityMeans(text=(0.1,) * 6, generated=(0.2,) * 6, real=(0.3,) * 6)
    settings = FusionSettings(method=method, centring=True, means=means)
    space = whitening_of(vectors, strength=0.1)
    beside = fuse(settings, text=texts, prototypes=drawn, space=space)
    for row, (text, prototypes) in enumerate(zip(texts, drawn, strict=True)):
        alone = fuse(settings, text=text, prototypes=prototypes, space=space)
        np.testing.assert_allclose(beside.rows[row], alone.rows, atol=1e-6)
        np.testing.assert_allclose(beside.direction[row], alone.direction, atol=1e-6)
        np.testing.assert_allclose(beside.weights, alone.weights)
