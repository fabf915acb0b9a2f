from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from coin_retrieval.training.loop import LoopSettings, Task, fit


class Line(Task):
    """Learns y = 3x; ``killed_at`` stops it as a kill would."""

    def __init__(self, killed_at: int | None = None) -> None:
        torch.manual_seed(0)
        self.module: nn.Module = nn.Linear(1, 1)
        self._left = killed_at

    def loss(self, random: np.random.Generator) -> tuple[Tensor, dict[str, float]]:
        if self._left == 0:
            raise KeyboardInterrupt
        self._left = None if self._left is None else self._left - 1
        x = torch.from_numpy(random.normal(size=(16, 1)).astype(np.float32))
        return (self.module(x).float() - 3 * x).square().mean(), {}


SETTINGS = LoopSettings(
    steps=40, learning_rate=0.2, warmup_steps=1, ema_decay=0.5, bf16=False, checkpoint_every_s=1e-9
)


def test_training_lowers_the_loss(tmp_path: Path) -> None:
    trained = fit(Line(), SETTINGS, tmp_path, name="line")
    assert abs(float(trained.weight.detach()[0, 0]) - 3) < 0.3


def test_a_killed_run_goes_on_to_the_very_weights_of_an_undisturbed_one(tmp_path: Path) -> None:
    undisturbed = fit(Line(), SETTINGS, tmp_path / "a", name="line")
    with pytest.raises(KeyboardInterrupt):
        fit(Line(killed_at=17), SETTINGS, tmp_path / "b", name="line")
    resumed = fit(Line(), SETTINGS, tmp_path / "b", name="line")
    for one, other in zip(undisturbed.parameters(), resumed.parameters(), strict=True):
        assert torch.equal(one, other)


def test_a_finished_run_is_not_trained_further(tmp_path: Path) -> None:
    first = fit(Line(), SETTINGS, tmp_path, name="line")
    again = fit(Line(killed_at=0), SETTINGS, tmp_path, name="line")
    assert torch.equal(first.weight.detach(), again.weight.detach())
