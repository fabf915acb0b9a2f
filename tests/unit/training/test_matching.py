from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from diffusers import UNet2DConditionModel
from torch import Tensor, nn

from coin_retrieval.training.generator.diffusion import (
    DiffusionRecipe,
    build_unet,
    noise_scheduler,
    sample_latents,
)
from coin_retrieval.training.generator.energy import (
    EnergyDistance,
    canonical_axes,
    principal_axes,
)
from coin_retrieval.training.generator.leaps import Leaps
from coin_retrieval.training.generator.matching import MatchingRecipe, MatchingTask
from coin_retrieval.training.loop import LoopSettings
from coin_retrieval.training.pictures.data import PackedCases

LOOP = LoopSettings(steps=2, learning_rate=1e-3, warmup_steps=1, ema_decay=0.5, bf16=False)
RECIPE = MatchingRecipe(loop=LOOP, findings=2, of_each=4, steps=2, real=8, kept=16)
SHAPE = DiffusionRecipe(loop=LOOP, channels=(16, 32), attention=(False, True), batch=4)
DARK, LIGHT = 0, 1


class Eye(nn.Module):
    """Sees the pixels, and those of a smaller picture."""

    def forward(self, images: Tensor) -> list[Tensor]:
        return [images, nn.functional.avg_pool2d(images, 2)]


@pytest.fixture
def cases() -> PackedCases:
    """Eight dark pictures and eight light ones, each group of two shades and many grains."""
    shades = [40, 80] * 4 + [180, 220] * 4
    random = np.random.default_rng(0)
    grains = random.integers(3, 30, len(shades))
    pixels = np.stack(
        [random.integers(s - g, s + g, (16, 16, 3)) for s, g in zip(shades, grains, strict=True)]
    )
    return PackedCases((), pixels.astype(np.uint8))


def distance_from(cases: PackedCases) -> EnergyDistance:
    groups = {DARK: np.arange(8), LIGHT: np.arange(8, 16)}
    return EnergyDistance(cases, groups, eyes=[Eye()], real=8, kept=8)


@pytest.fixture
def distance(cases: PackedCases) -> EnergyDistance:
    return distance_from(cases)


class Source:
    """A decoder that shows the latents' mean, grained, and two findings that prompts tell apart."""

    def rows_by_finding(self) -> dict[int, np.ndarray]:
        return {DARK: np.arange(8), LIGHT: np.arange(8, 16)}

    def prompts_of(self, rows: np.ndarray, random: np.random.Generator) -> Tensor:
        del random
        return prompts(rows >= 8)

    def decode(self, latents: Tensor) -> Tensor:
        return torch.tanh(latents[:, :3].mean((2, 3), keepdim=True)) + grain(len(latents))


def grain(count: int) -> Tensor:
    return torch.rand(count, 3, 16, 16).sub(0.5).mul(30 / 127.5)


def prompts(light: np.ndarray) -> Tensor:
    named = torch.from_numpy(np.where(light, 1, 0))
    return nn.functional.one_hot(named, 8).float()[:, None]


@pytest.fixture
def task(cases: PackedCases) -> Callable[..., MatchingTask]:
    def made(**changes: Any) -> MatchingTask:
        torch.manual_seed(0)
        unet: UNet2DConditionModel = build_unet(SHAPE, 4, 16, 8)
        recipe = RECIPE.model_copy(update=changes)
        source: Any = Source()
        return MatchingTask(source, unet, cases, recipe, eyes=[Eye()])

    return made


def test_real_pictures_of_the_group_are_nearest(
    cases: PackedCases, distance: EnergyDistance
) -> None:
    dark, light = cases.batch(np.arange(8)), cases.batch(np.arange(8, 16))
    own, other = float(distance.of(dark, [DARK])), float(distance.of(light, [LIGHT]))
    both = float(distance.of(torch.cat([light, dark]), [DARK, LIGHT]))
    assert both > max(own, other) + 0.3


def test_one_picture_eight_times_is_farther_than_all_eight(
    cases: PackedCases, distance: EnergyDistance
) -> None:
    alike = cases.batch(np.zeros(8, int))
    varied = cases.batch(np.arange(8))
    assert float(distance.of(alike, [DARK])) > float(distance.of(varied, [DARK])) + 0.1


class KeenEye(nn.Module):
    """Sees every pixel, each as a feature of its own."""

    def forward(self, images: Tensor) -> list[Tensor]:
        return [images.reshape(len(images), -1, 2, 1)]


def test_among_many_features_what_varies_most_still_counts() -> None:
    random = np.random.default_rng(5)

    def grained(shades: np.ndarray) -> PackedCases:
        """Each sixteenth of a picture in a shade of its own, under the same grain."""
        shaded = np.kron(shades.reshape(-1, 4, 4), np.ones((4, 4)))[..., None]
        grain = random.normal(128, 20, (len(shades), 16, 16, 3))
        return PackedCases((), np.clip(shaded + grain, 0, 255).astype(np.uint8))

    every = np.arange(512)
    real = grained(random.normal(0, 8, (len(every), 16)))
    distances = [
        float(EnergyDistance(real, {DARK: every}, eyes=[KeenEye()], real=512, kept=2).of(d, [DARK]))
        for shades in (random.normal(0, 8, (len(every), 16)), np.zeros((len(every), 16)))
        for d in [grained(shades).batch(every)]
    ]
    varied, alike = distances
    assert alike > varied + 0.2  # 0.05 of all features at once


def test_axes_lie_where_rows_differ_and_faint_ones_stay_faint() -> None:
    torch.manual_seed(0)
    spread = torch.tensor([5.0, 4, 3, 2, 1, 1, 1, 0.5, 0.1, 0.1, 0.01, 0.01])
    rows = torch.randn(500, 12) * spread
    seen = torch.einsum("nc,kcf->knf", rows, principal_axes(rows))
    first, second, faint = seen.var(1).sum(1)
    assert first == pytest.approx(1, abs=0.05)
    assert 0.5 < second < 1
    assert faint < 0.05
    few = principal_axes(rows[:24])
    assert few.shape == (1, 12, 3), "more axes than pictures tell of"


def test_axes_between_groups_name_them_however_little_they_differ() -> None:
    torch.manual_seed(0)
    spread = torch.tensor([5.0, 4, 3, 2, 1, 1, 1, 1, 1, 1, 1, 0.1])
    means = torch.zeros(3, 12)
    means[1, 6], means[2, 11] = 3.0, 0.5
    rows = [torch.randn(500, 12) * spread + mean for mean in means]
    axes = canonical_axes(rows)
    assert axes.shape == (1, 12, 2), "as many as tell three groups apart"
    seen = [torch.einsum("nc,kcf->knf", group, axes)[0] for group in rows]
    assert all(group.var(0).sum() < 1.1 for group in seen), "a group spreads by 1 along each"
    far = [float((seen[a].mean(0) - seen[b].mean(0)).norm()) for a, b in ((0, 1), (0, 2), (1, 2))]
    assert min(far) > 0.3
    most = axes[0].abs().sum(1) * spread
    assert set(most.topk(2).indices.tolist()) == {6, 11}, "not where all vary alike"


def test_one_group_is_told_from_no_other(cases: PackedCases) -> None:
    alone = EnergyDistance(cases, {DARK: np.arange(8)}, eyes=[Eye()], real=8, kept=8)
    assert float(alone.of(cases.batch(np.arange(8)), [DARK])) < 0.1


def test_what_tells_groups_apart_counts_among_much_that_does_not() -> None:
    """Groups that differ in one place of sixteen, which all else varies more than."""
    random = np.random.default_rng(5)

    def grained(place: float) -> PackedCases:
        shades = random.normal(0, 12, (256, 16))
        shades[:, 0] = random.normal(place, 3, 256)
        shaded = np.kron(shades.reshape(-1, 4, 4), np.ones((4, 4)))[..., None]
        pixels = np.clip(128 + shaded + random.normal(0, 4, (256, 16, 16, 3)), 0, 255)
        return PackedCases((), pixels.astype(np.uint8))

    real = PackedCases((), np.concatenate([grained(-8).pixels, grained(8).pixels]))
    groups = {DARK: np.arange(256), LIGHT: np.arange(256, 512)}
    every = np.arange(256)
    own, other = (grained(at).batch(every) for at in (-8, 8))
    farther = {}
    for apart in (True, False):
        judged = EnergyDistance(real, groups, eyes=[KeenEye()], real=256, kept=2, apart=apart)
        farther[apart] = float(judged.of(other, [DARK]) - judged.of(own, [DARK]))
    assert farther[True] > farther[False] + 0.3


def test_earlier_drawings_count_as_others(cases: PackedCases) -> None:
    one, other = cases.batch(np.array([0, 2])), cases.batch(np.array([1, 3]))
    apart, alike = distance_from(cases), distance_from(cases)
    for _ in range(4):
        apart.of(other, [DARK])
        alike.of(one, [DARK])
    assert float(apart.of(one, [DARK])) < float(alike.of(one, [DARK]))


@pytest.mark.parametrize(("group", "towards"), [(DARK, -1), (LIGHT, 1)])
def test_a_drawing_is_drawn_to_what_is_real(cases: PackedCases, group: int, towards: int) -> None:
    assert np.all(np.sign(_pull(cases, np.zeros(8), group)) == towards)


def test_and_away_from_other_drawings(cases: PackedCases) -> None:
    middle = float(cases.batch(np.arange(8, 16)).mean())
    between = np.array([-0.01] * 4 + [0.01] * 4)
    assert np.sign(_pull(cases, middle + between, LIGHT)).tolist() == [-1] * 4 + [1] * 4


def _pull(cases: PackedCases, shades: np.ndarray, group: int) -> np.ndarray:
    """Where the shade of each drawing is led to."""
    torch.manual_seed(0)
    drawn = torch.from_numpy(shades).float().requires_grad_()
    grained = drawn[:, None, None, None] + grain(1)
    distance_from(cases).of(grained, [group]).backward()  # type: ignore[no-untyped-call]
    assert drawn.grad is not None
    return -drawn.grad.numpy()


def test_leaps_are_those_of_the_sampler() -> None:
    torch.manual_seed(0)
    unet: UNet2DConditionModel = build_unet(SHAPE, 4, 8, 8)
    prompt = torch.randn(2, 1, 8)
    noise = torch.randn((2, 4, 8, 8), generator=torch.Generator().manual_seed(5))

    def velocity(state: Tensor, time: int) -> Tensor:
        given: Tensor = unet(state, time, encoder_hidden_states=prompt).sample
        return given

    with torch.no_grad():
        drawn = Leaps(noise_scheduler(), 4).draw(velocity, noise)
    torch.testing.assert_close(
        drawn, sample_latents(unet, prompt, steps=4, guidance=1.0, seed=5), atol=1e-4, rtol=1e-4
    )
    assert [start for start, _ in Leaps(noise_scheduler(), 4)] == [999, 749, 499, 249]


def test_a_student_learns_what_each_finding_looks_like(task: Callable[..., MatchingTask]) -> None:
    taught = task(anchor_weight=0.0)
    optimizer = torch.optim.AdamW(taught.module.parameters(), 1e-3)
    for step in range(50):
        loss, _ = taught.loss(np.random.default_rng(step))
        optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
    named = prompts(np.array([False, False, True, True]))
    latents = sample_latents(taught.module, named, steps=2, guidance=1.0, seed=3)
    dark, light = Source().decode(latents).split(2)
    assert float(dark.mean()) < float(light.mean()) - 0.3


def test_an_anchor_tells_how_far_it_moved(task: Callable[..., MatchingTask]) -> None:
    held = task()
    _, figures = held.loss(np.random.default_rng(0))
    assert figures["moved"] == 0.0
    with torch.no_grad():
        for parameter in held.module.parameters():
            parameter.add_(0.05)
    loss, figures = held.loss(np.random.default_rng(0))
    assert figures["moved"] > 0
    assert loss.item() == pytest.approx(figures["distance"] + figures["moved"], rel=1e-4)
