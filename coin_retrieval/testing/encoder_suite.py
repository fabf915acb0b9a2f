"""What every encoder keeps; a backend subclasses it and gives the fixture ``encoder``."""

from __future__ import annotations

import re

import numpy as np
import pytest

from coin_retrieval.encoding.base import Encoder, SupportsFeatures, SupportsText
from coin_retrieval.errors import ImageError
from coin_retrieval.types import RgbImage

DIGEST = re.compile(r"[0-9a-f]{64}")


def pictures(sizes: list[tuple[int, int]]) -> list[RgbImage]:
    """Random blotches, uint8 [h w 3], one a size."""
    random = np.random.default_rng(0)
    coarse = [random.integers(0, 256, (5, 5, 3), np.uint8) for _ in sizes]
    return [
        np.kron(blotches, np.ones((h // 5 + 1, w // 5 + 1, 1), np.uint8))[:h, :w]
        for blotches, (h, w) in zip(coarse, sizes, strict=True)
    ]


class EncoderSuite:
    """The contract of :class:`coin_retrieval.encoding.base.Encoder`."""

    def test_embeddings_are_unit_rows_of_the_width_in_the_spec(self, encoder: Encoder) -> None:
        rows = encoder.encode(pictures([(40, 40), (64, 64)]))
        assert rows.shape == (2, encoder.spec.dim)
        assert rows.dtype == np.float32
        np.testing.assert_allclose(np.linalg.norm(rows, axis=1), 1, atol=1e-5)

    def test_pictures_of_any_shape_are_taken(self, encoder: Encoder) -> None:
        rows = encoder.encode(pictures([(1, 1), (7, 300), (300, 7), (33, 50)]))
        assert np.all(np.isfinite(rows))

    def test_rows_keep_the_order_of_the_pictures_whatever_the_batch(self, encoder: Encoder) -> None:
        shown = pictures([(40, 40), (30, 60), (64, 64), (50, 20), (20, 50)])
        together = encoder.encode(shown, batch_size=5)
        for i, row in enumerate(encoder.encode(shown, batch_size=2)):
            assert row @ together[i] > 0.9999
        alone = encoder.encode([shown[3]])
        assert np.argmax(together @ alone[0]) == 3

    def test_different_pictures_lie_apart(self, encoder: Encoder) -> None:
        first, second = encoder.encode(pictures([(40, 40), (40, 40)]))
        assert first @ second < 0.9999

    def test_no_pictures_give_no_rows(self, encoder: Encoder) -> None:
        assert encoder.encode([]).shape == (0, encoder.spec.dim)

    @pytest.mark.parametrize(
        "array",
        [np.zeros((8, 8), np.uint8), np.zeros((8, 8, 4), np.uint8), np.zeros((8, 8, 3))],
    )
    def test_what_is_not_an_rgb_picture_is_refused(
        self, encoder: Encoder, array: np.ndarray
    ) -> None:
        with pytest.raises(ImageError, match="uint8"):
            encoder.encode([array])

    def test_the_spec_identifies_weights_and_preprocessing(self, encoder: Encoder) -> None:
        assert DIGEST.fullmatch(encoder.spec.weights)
        assert DIGEST.fullmatch(encoder.spec.preprocessing)
        assert encoder.spec.name
        assert "/tmp" not in encoder.spec.name  # noqa: S108  a path would differ by machine

    def test_texts_lie_in_the_same_space(self, encoder: Encoder) -> None:
        if isinstance(encoder, SupportsText):
            rows = encoder.encode_text(["an eosinophil", "koilocytes, low grade"])
            assert rows.shape == (2, encoder.spec.dim)
            np.testing.assert_allclose(np.linalg.norm(rows, axis=1), 1, atol=1e-5)
            assert encoder.encode_text([]).shape == (0, encoder.spec.dim)

    def test_a_text_keeps_its_embedding_beside_longer_ones(self, encoder: Encoder) -> None:
        if isinstance(encoder, SupportsText):
            alone = encoder.encode_text(["an eosinophil"])[0]
            beside = encoder.encode_text(["an eosinophil", "granules " * 40])[0]
            assert alone @ beside > 0.999

    def test_a_short_text_is_read_whole_and_a_long_one_says_what_is_not(
        self, encoder: Encoder
    ) -> None:
        if isinstance(encoder, SupportsText):
            assert encoder.dropped_text("an eosinophil") == ""
            long = " ".join(f"w{i}" for i in range(2000))
            assert long.endswith(encoder.dropped_text(long).strip())
            assert encoder.dropped_text(long)

    def test_features_are_the_embeddings_before_normalising(self, encoder: Encoder) -> None:
        if isinstance(encoder, SupportsFeatures):
            shown = pictures([(40, 40), (64, 64)])
            features = encoder.features(shown)
            norms = np.linalg.norm(features, axis=1, keepdims=True)
            np.testing.assert_allclose(features / norms, encoder.encode(shown), atol=1e-5)
            assert not np.allclose(norms, 1, atol=1e-3)
