from __future__ import annotations

import os
import subprocess
import sys
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


class Slope(Task):
    """Two numbers that fall alike, the second at a quarter of the rate."""

    def __init__(self) -> None:
        self.module: nn.Module = nn.ParameterList([torch.ones(1), torch.ones(1)])
        self.begun: list[float] = []

    def begin(self, done: float) -> None:
        assert self.module.training
        self.begun.append(done)

    def rates(self) -> list[tuple[list[nn.Parameter], float]]:
        first, second = self.module.parameters()
        return [([first], 1.0), ([second], 0.25)]

    def loss(self, random: np.random.Generator) -> tuple[Tensor, dict[str, float]]:
        return torch.stack([value.sum() for value in self.module.parameters()]).sum(), {}


def test_a_group_learns_at_its_share_of_the_rate(tmp_path: Path) -> None:
    settings = LoopSettings(
        steps=4, learning_rate=0.1, warmup_steps=1, ema_decay=0.01, bf16=False, weight_decay=0
    )
    task = Slope()
    fit(task, settings, tmp_path, name="slope")
    first, second = (1 - float(value.detach()) for value in task.module.parameters())
    assert second == pytest.approx(first / 4, rel=1e-3)
    assert task.begun == [0.0, 0.25, 0.5, 0.75]


def test_two_processes_step_by_the_mean_of_their_gradients(tmp_path: Path) -> None:
    script = tmp_path / "line.py"
    script.write_text(
        "from pathlib import Path\n"
        "from coin_retrieval.training.loop import crew\n"
        "from coin_retrieval.training.loop import LoopSettings, fit\n"
        "from unit.training.test_loop import Line, SETTINGS\n"
        "short = SETTINGS.model_copy(update={'steps': 3})\n"
        f"trained = fit(Line(), short, Path({str(tmp_path)!r}) / 'out', name='line')\n"
        "number = crew().process_index\n"
        f"Path({str(tmp_path)!r}, f'{{number}}.txt').write_text(str(trained.weight.item()))\n"
    )
    launch = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2"]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    subprocess.run([*launch, str(script)], check=True, capture_output=True, env=environment)
    first, second = (float((tmp_path / f"{n}.txt").read_text()) for n in (0, 1))
    alone = fit(Line(), SETTINGS.model_copy(update={"steps": 3}), tmp_path / "alone", name="line")
    assert first == second
    assert first != float(alone.weight.detach()[0, 0])
