from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from torch import Tensor, nn

from coin_retrieval.training.encoder.clip import ClipRecipe, ClipTask
from coin_retrieval.training.loop import LoopSettings
from coin_retrieval.training.pictures.data import PackedCases, load_cases
from coin_retrieval.training.texts import caption_pool

RECIPE = ClipRecipe(
    loop=LoopSettings(steps=2, learning_rate=1e-3),
    vision_model="test_efficientnet",
    side_px=48,
    image_px=40,
    small_px=32,
    small_share=0.5,
    frozen_stages=1,
    trunk_rate=0.5,
    batch=4,
    dim=8,
)


@pytest.fixture(scope="module")
def cases(drawn_table: Path, tmp_path_factory: pytest.TempPathFactory) -> PackedCases:
    cache = tmp_path_factory.mktemp("packed")
    return load_cases([drawn_table], side_px=48, split="train", cache=cache)


@pytest.fixture(scope="module")
def task(cases: PackedCases, tmp_path_factory: pytest.TempPathFactory) -> ClipTask:
    cache = tmp_path_factory.mktemp("captions")
    return ClipTask(cases, caption_pool(cases.rows, size=1, seed=0, cache=cache), RECIPE)


def test_small_pictures_come_first(task: ClipTask) -> None:
    sides = []

    def note(_: nn.Module, shown: tuple[Tensor, ...]) -> None:
        sides.append(shown[0].shape[-1])

    visual = task.module.get_submodule("visual")
    with visual.register_forward_pre_hook(note):
        for done in (0.0, 0.49, 0.5, 1.0):
            task.begin(done)
            task.loss(np.random.default_rng(0))
    assert sides == [32, 32, 40, 40]


def test_frozen_stages_are_in_no_group_and_the_trunk_learns_at_its_rate(task: ClipTask) -> None:
    rates = task.rates()
    assert [share for _, share in rates] == [0.5, 1.0]
    learning = {id(parameter) for group, _ in rates for parameter in group}
    trunk = task.module.get_submodule("visual.trunk")
    frozen = [*trunk.get_submodule("conv_stem").parameters()]
    frozen += trunk.get_submodule("blocks.0").parameters()
    assert not learning & {id(parameter) for parameter in frozen}
    assert {id(p) for p in trunk.get_submodule("blocks.1").parameters()} <= learning
    assert {id(p) for p in task.module.get_submodule("text.proj").parameters()} <= learning
