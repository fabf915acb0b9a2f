from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from safetensors.torch import save_file

from coin_retrieval.nets.orientations import dihedral
from coin_retrieval.nets.reader import ConceptReader, ReaderConfig
from coin_retrieval.tables.cases import CaseRow
from coin_retrieval.training.encoder.losses import (
    discriminant_directions,
    multi_positive,
    soft_confusion,
)
from coin_retrieval.training.generator.autoencoder import texture
from coin_retrieval.training.generator.diffusion import DiffusionRecipe, build_unet, noise_scheduler
from coin_retrieval.training.generator.distillation import velocity_of_leap
from coin_retrieval.training.loop import LoopSettings
from coin_retrieval.training.pictures.augment import AugmentSettings, augment
from coin_retrieval.training.pictures.data import load_cases
from coin_retrieval.training.pictures.sampling import balanced_weights
from coin_retrieval.training.warm_start import take_over, take_over_generator
from coin_retrieval.wordings.concepts import Concepts, concepts_of


def test_with_one_positive_a_row_the_contrast_is_cross_entropy() -> None:
    logits = torch.randn(5, 5)
    expected = F.cross_entropy(logits, torch.arange(5))
    assert torch.allclose(multi_positive(logits, torch.eye(5, dtype=torch.bool)), expected)


def test_rows_without_a_positive_do_not_count() -> None:
    logits = torch.randn(3, 3)
    positive = torch.tensor([[True, False, False], [False, False, False], [False, True, False]])
    expected = -(logits.log_softmax(1)[0, 0] + logits.log_softmax(1)[2, 1]) / 2
    assert torch.allclose(multi_positive(logits, positive), expected)


def test_half_a_positive_counts_half() -> None:
    logits = torch.randn(1, 3)
    expected = -(2 * logits.log_softmax(1)[0, 0] + logits.log_softmax(1)[0, 1]) / 3
    assert torch.allclose(multi_positive(logits, torch.tensor([[0.8, 0.4, 0.0]])), expected)


def test_a_finding_lies_where_it_differs_not_where_its_pictures_vary() -> None:
    generator = torch.Generator().manual_seed(0)
    # two findings that differ a little along the first axis, and both vary much along the second
    noise = torch.randn(400, 3, generator=generator) * torch.tensor([0.05, 1.0, 0.05])
    labels = torch.arange(400) % 2
    embeddings = noise + torch.tensor([[0.3, 0.5, 0.0], [-0.3, 0.5, 0.0]])[labels]
    even = torch.full((400,), 1 / 400)
    found = discriminant_directions(embeddings, labels, even, shrinkage=1e-4)
    assert torch.allclose(found.norm(dim=1), torch.ones(2))
    assert found[0, 0] > 0.95
    assert found[1, 0] < -0.95
    # towards a sphere, they end at the means
    rounded = discriminant_directions(embeddings, labels, even, shrinkage=1e6)
    means = torch.stack([embeddings[labels == one].mean(0) for one in (0, 1)])
    assert torch.allclose(rounded, F.normalize(means, dim=1), atol=1e-3)


def test_findings_whose_pictures_lie_together_are_alike() -> None:
    directions = torch.eye(3)
    # of the first label half lie at the second's direction; the third is apart
    embeddings = torch.eye(3)[[0, 1, 1, 1, 2, 2]][:, None]
    alike = soft_confusion(embeddings, torch.tensor([0, 0, 1, 1, 2, 2]), directions, sharpness=100)
    assert torch.allclose(alike, torch.tensor([[0.5, 0.5, 0], [0, 1, 0], [0, 0, 1]]), atol=1e-6)


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
    seen = augment(images, 24, [AugmentSettings()], np.random.default_rng(0))
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


def test_a_leap_with_its_velocity_lands_where_the_scheduler_would() -> None:
    scheduler = noise_scheduler()
    scheduler.set_timesteps(4)
    noisy, velocity = torch.randn(2, 3, 4, 4), torch.randn(2, 3, 4, 4)
    ends = [*scheduler.timesteps.tolist()[1:], -1]
    for start, end in zip(scheduler.timesteps.tolist(), ends, strict=True):
        landed = scheduler.step(velocity, start, noisy).prev_sample
        alpha = scheduler.alphas_cumprod[start]
        alpha_end = scheduler.alphas_cumprod[end] if end >= 0 else torch.tensor(1.0)
        found = velocity_of_leap(
            noisy,
            landed,
            (float(alpha.sqrt()), float((1 - alpha).sqrt())),
            (float(alpha_end.sqrt()), float((1 - alpha_end).sqrt())),
        )
        assert torch.allclose(found, velocity, atol=1e-3)


def test_concepts_of_a_row_stand_in_their_groups_and_nothing_stated_is_zero() -> None:
    rows = [
        CaseRow(Path(), "c", site="cervix", finding="Candida"),
        CaseRow(Path(), "c", site="brain", finding="high-grade glioma"),
    ]
    concepts = concepts_of(rows)
    assert concepts.groups == {
        "finding": ("Candida", "high-grade glioma"),
        "site": ("brain", "cervix"),
    }
    indices = np.stack(
        [concepts.indices({"finding": "Candida", "site": "cervix"}), concepts.indices({})]
    )
    vectors = concepts.vectors(indices)
    assert vectors.shape == (2, 32)
    assert np.flatnonzero(vectors[0]).tolist() == [0, 3]
    assert not vectors[1].any()


def test_a_start_takes_what_fits_and_says_what_does_not(tmp_path: Path) -> None:
    before = torch.nn.Sequential(torch.nn.Linear(2, 3), torch.nn.Linear(3, 4))
    save_file(before.state_dict(), tmp_path / "start.safetensors")
    after = torch.nn.Sequential(torch.nn.Linear(2, 3), torch.nn.Linear(3, 5))
    lacking = take_over(after, tmp_path / "start.safetensors")
    assert lacking == ["1.bias", "1.weight"]
    assert torch.equal(after[0].weight, before[0].weight)


def test_a_generator_keeps_what_it_learned_of_each_concept(tmp_path: Path) -> None:
    before = Concepts(groups={"finding": ("Candida", "neutrophil"), "site": ("cervix",)})
    after = Concepts(
        groups={"finding": ("Candida", "burr cell", "neutrophil"), "site": ("cervix",)}
    )
    recipe = DiffusionRecipe(
        loop=LoopSettings(steps=1, learning_rate=1e-3), channels=(32, 64), attention=(False, True)
    )
    ConceptReader(ReaderConfig(groups=before.groups, dim=before.dim)).save(tmp_path / "reader")
    known, unet = (build_unet(recipe, 4, 8, before.dim) for _ in range(2))
    known.save_pretrained(tmp_path / "unet")
    untaught = unet.add_embedding.pool.k_proj.weight[:, 1].clone()
    assert take_over_generator(unet, tmp_path, after) == []
    learned, own = (network.add_embedding.pool.k_proj.weight for network in (known, unet))
    assert torch.equal(own[:, [0, 2, 3]], learned[:, [0, 1, 2]])
    assert torch.equal(own[:, 1], untaught)
    assert torch.equal(unet.conv_in.weight, known.conv_in.weight)
