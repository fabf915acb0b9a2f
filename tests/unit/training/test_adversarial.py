from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from diffusers import UNet2DConditionModel
from torch import Tensor

from coin_retrieval.training.generator.adversarial import (
    AdversarialRecipe,
    AdversarialTask,
    LatentCritic,
)
from coin_retrieval.training.generator.diffusion import DiffusionRecipe, build_unet
from coin_retrieval.training.loop import LoopSettings

LOOP = LoopSettings(steps=2, learning_rate=1e-3, warmup_steps=1, ema_decay=0.5, bf16=False)
RECIPE = AdversarialRecipe(loop=LOOP, batch=4, steps=2)
SHAPE = DiffusionRecipe(loop=LOOP, channels=(16, 32), attention=(False, True), batch=4)


class OneColour:
    """Latents of one value, whatever is asked for: a real part that cannot be mistaken."""

    def draw(self, count: int, random: np.random.Generator) -> tuple[Tensor, Tensor]:
        del random
        return torch.full((count, 4, 8, 8), 3.0), torch.zeros(count, 1, 8)


@pytest.fixture
def unet() -> UNet2DConditionModel:
    torch.manual_seed(0)
    return build_unet(SHAPE, 4, 8, 8)


def _task(unet: UNet2DConditionModel, **changes: Any) -> AdversarialTask:
    recipe = RECIPE.model_copy(update=changes)
    return AdversarialTask(OneColour(), unet, recipe)  # type: ignore[arg-type]


def test_a_critic_scores_every_resolution_and_reads_time_and_prompt(
    unet: UNet2DConditionModel,
) -> None:
    critic = LatentCritic(unet).eval()
    latents, prompt = torch.randn(2, 4, 8, 8), torch.randn(2, 1, 8)
    with torch.no_grad():
        scores = critic(latents, torch.tensor([500, 500]), prompt)
        later = critic(latents, torch.tensor([10, 10]), prompt)
        other = critic(latents, torch.tensor([500, 500]), -prompt)
    assert [tuple(score.shape) for score in scores] == [(2, 1, 8, 8), (2, 1, 4, 4), (2, 1, 4, 4)]
    for changed in (later, other):
        assert all(not torch.equal(a, b) for a, b in zip(scores, changed, strict=True))


def test_what_the_student_learns_does_not_reach_its_critic_nor_the_other_way_round(
    unet: UNet2DConditionModel,
) -> None:
    # with a weight of nearly nothing and no anchor, all that is left is the critic's own loss
    task = _task(unet, adversarial_weight=1e-30, anchor_weight=0.0)
    of_student, of_critic = _gradients(task)
    assert of_student.abs().max() < 1e-20
    assert of_critic.abs().max() > 1e-6
    loud = _task(unet, adversarial_weight=1e3, anchor_weight=0.0)
    loud.module.load_state_dict(task.module.state_dict())
    louder, unchanged = _gradients(loud)
    assert louder.abs().max() > 1e-3
    torch.testing.assert_close(unchanged, of_critic)


def _gradients(task: AdversarialTask) -> tuple[Tensor, Tensor]:
    """Of the student and of the critic, in one row each."""
    torch.manual_seed(0)
    loss, _ = task.loss(np.random.default_rng(0))
    loss.backward()  # type: ignore[no-untyped-call]
    parts: Any = task.module
    student, critic = (
        torch.cat([p.grad.flatten() for p in part.parameters() if p.grad is not None])
        for part in (parts["student"], parts["critic"])
    )
    return student, critic


def test_it_moves_towards_what_is_real(unet: UNet2DConditionModel) -> None:
    task = _task(unet, adversarial_weight=1.0, anchor_weight=0.0, batch=8)
    parts: Any = task.module
    optimizer = torch.optim.AdamW(task.module.parameters(), 3e-3, betas=(0.5, 0.9))
    before = _mean_of_a_drawing(parts["student"])
    for step in range(60):
        loss, _ = task.loss(np.random.default_rng(step))
        optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
    assert abs(_mean_of_a_drawing(parts["student"]) - 3.0) < abs(before - 3.0) - 0.5


def test_an_anchor_holds_it(unet: UNet2DConditionModel) -> None:
    task = _task(unet)
    _, figures = task.loss(np.random.default_rng(0))
    assert figures["moved"] == 0.0
    with torch.no_grad():
        for parameter in task.module["student"].parameters():  # type: ignore[index]
            parameter.add_(0.05)
    _, figures = task.loss(np.random.default_rng(0))
    assert figures["moved"] > 0


def _mean_of_a_drawing(unet: Any) -> float:
    from coin_retrieval.training.generator.diffusion import sample_latents

    return float(sample_latents(unet, torch.zeros(4, 1, 8), steps=2, guidance=1.0, seed=0).mean())
