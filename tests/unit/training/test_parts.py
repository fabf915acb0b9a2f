from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F

from coin_retrieval.case_table import CaseRow
from coin_retrieval.training.augment import AugmentSettings, augment
from coin_retrieval.training.autoencoder import texture
from coin_retrieval.training.clip import multi_positive
from coin_retrieval.training.data import dihedral, load_cases
from coin_retrieval.training.sampling import balanced_weights


def test_with_one_positive_a_row_the_contrast_is_cross_entropy() -> None:
    logits = torch.randn(5, 5)
    expected = F.cross_entropy(logits, torch.arange(5))
    assert torch.allclose(multi_positive(logits, torch.eye(5, dtype=torch.bool)), expected)


def test_rows_without_a_positive_do_not_count() -> None:
    logits = torch.randn(3, 3)
    positive = torch.tensor([[True, False, False], [False, False, False], [False, True, False]])
    expected = -(logits.log_softmax(1)[0, 0] + logits.log_softmax(1)[2, 1]) / 2
    assert torch.allclose(multi_positive(logits, positive), expected)


def test_the_eight_orientations_differ_and_lose_nothing() -> None:
    image = torch.arange(9.0).reshape(1, 1, 3, 3)
    turned = [dihedral(image, which) for which in range(8)]
    assert len({tuple(t.flatten().tolist()) for t in turned}) == 8
    assert all(torch.equal(t.flatten().sort().values, torch.arange(9.0)) for t in turned)


def test_balance_weighs_groups_by_a_power_of_their_size() -> None:
    rows = [CaseRow(Path(), "c", finding=f) for f in "aaaaab"]
    even = balanced_weights(rows, power=0)
    assert np.isclose(even[:5].sum(), even[5:].sum())
    assert np.allclose(balanced_weights(rows, power=1), 1 / 6)


def test_augmentation_keeps_the_range_and_gives_the_size_that_was_asked_for() -> None:
    images = torch.rand(4, 3, 40, 40) * 2 - 1
    seen = augment(images, 24, AugmentSettings(), np.random.default_rng(0))
    assert seen.shape == (4, 3, 24, 24)
    assert seen.abs().max() <= 1


def test_texture_tells_grain_from_smoothness() -> None:
    smooth = torch.linspace(-1, 1, 32).expand(1, 3, 32, 32)
    grainy = smooth + 0.3 * torch.randn(1, 3, 32, 32)
    assert texture(grainy).mean() > 5 * texture(smooth).mean()


def test_packed_pictures_are_square_and_of_their_split_only(
    drawn_table: Path, tmp_path: Path
) -> None:
    train = load_cases([drawn_table], side_px=32, split="train", cache=tmp_path)
    val = load_cases([drawn_table], side_px=32, split="val", cache=tmp_path)
    assert train.pixels.shape == (12, 32, 32, 3)
    assert val.pixels.shape == (6, 32, 32, 3)
    assert not {r.case_id for r in train.rows} & {r.case_id for r in val.rows}
