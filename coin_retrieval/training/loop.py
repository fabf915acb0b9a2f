"""The one training loop: seeds, schedule, EMA, checkpoints that survive a kill, progress, sheets.

A :class:`Task` says what is learned; :func:`fit` does the rest. Checkpoints are safetensors and
JSON, written aside and renamed, so a kill at any moment leaves the last whole one.
"""

from __future__ import annotations

import json
import math
import time
from abc import ABC, abstractmethod
from pathlib import Path

import numpy as np
import torch
from accelerate import PartialState
from accelerate.utils import broadcast, reduce
from pydantic import BaseModel, ConfigDict, Field
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from safetensors.torch import load_file, save_file
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from coin_retrieval.files import replacing
from coin_retrieval.images.png import encode_png
from coin_retrieval.nets.compute import mixed_precision
from coin_retrieval.types import RgbImage


class LoopSettings(BaseModel):
    """How long and how fast to train. ``minutes`` ends training early, on the same schedule.

    ``ema_decay`` 0 keeps the last weights, no average; ``bf16`` counts where the hardware
    multiplies it.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    steps: int = Field(gt=0)
    minutes: float | None = Field(default=None, gt=0)
    learning_rate: float = Field(gt=0)
    weight_decay: float = 0.01
    warmup_steps: int = 100
    final_rate: float = Field(default=0.02, ge=0, le=1)
    ema_decay: float = Field(default=0.999, ge=0, lt=1)
    clip_norm: float = 1.0
    seed: int = 0
    bf16: bool = True
    checkpoint_every_s: float = 120.0
    sheet_every_s: float = 300.0


class Task(ABC):
    """What is learned: a module, its loss on a step's batch, and a picture of how it goes."""

    module: nn.Module

    @abstractmethod
    def loss(self, random: np.random.Generator) -> tuple[Tensor, dict[str, float]]:
        """The loss of one batch drawn with ``random``, and figures to show beside it."""

    def begin(self, done: float) -> None:
        """Called before each step, the module in training mode; ``done`` is the share of all."""
        del done

    def rates(self) -> list[tuple[list[nn.Parameter], float]]:
        """Groups of parameters to train, each with its share of the learning rate."""
        return [([p for p in self.module.parameters() if p.requires_grad], 1.0)]

    def sheet(self, averaged: nn.Module) -> RgbImage | None:
        """A sample sheet drawn with the averaged weights, if the task can draw one."""
        del averaged
        return None


def crew() -> PartialState:
    """The processes that train together; one, unless ``accelerate launch`` or torchrun began it."""
    return PartialState(cpu=not torch.cuda.is_available())


def device() -> torch.device:
    """The accelerator if there is one, else the CPU; of several processes, each one's own."""
    if crew().num_processes > 1:
        own: torch.device = crew().device
        return own
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


def fit(task: Task, settings: LoopSettings, out: Path, *, name: str) -> nn.Module:
    """Train ``task.module``, resuming from ``out`` if it holds a checkpoint; return the EMA module.

    Progress is the larger of the shares of ``steps`` and of ``minutes`` done; the learning rate
    follows its cosine, so a slow machine ends on time with a finished schedule.

    Started by ``accelerate launch``, each process takes batches of its own and all step by the mean
    of their gradients; the first one writes.
    """
    together = crew()
    torch.manual_seed(settings.seed)
    target = device()
    module = task.module.to(target, memory_format=_layout(task.module, target))  # type: ignore[call-overload]
    if together.num_processes > 1:
        for value in module.state_dict().values():
            value.copy_(broadcast(value))
    averaging = get_ema_multi_avg_fn(settings.ema_decay)  # type: ignore[no-untyped-call]
    averaged = AveragedModel(module, multi_avg_fn=averaging, use_buffers=True)
    rates = task.rates()
    trained = [parameter for group, _ in rates for parameter in group]
    optimizer = torch.optim.AdamW(
        [{"params": group, "share": share} for group, share in rates],
        settings.learning_rate,
        betas=(0.9, 0.99),
        weight_decay=settings.weight_decay,
    )
    step, spent_s = _resume(out, module, averaged, optimizer)
    started = time.monotonic() - spent_s
    saved = drawn = time.monotonic()
    shown: dict[str, float] = {}
    with Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TextColumn("{task.fields[left]} left  {task.fields[figures]}"),
    ) as progress:
        bar = progress.add_task(name, total=settings.steps, left="?", figures="", completed=step)
        while (done := _share_done(settings, step, _agreed(time.monotonic() - started))) < 1.0:
            for group in optimizer.param_groups:
                group["lr"] = settings.learning_rate * _rate(settings, step, done) * group["share"]
            module.train()
            task.begin(done)
            own = (together.process_index,) if together.process_index else ()
            random = np.random.default_rng((settings.seed, step, *own))
            torch.manual_seed(int(random.integers(2**31)))
            with mixed_precision(target, wanted=settings.bf16):
                loss, figures = task.loss(random)
            optimizer.zero_grad(set_to_none=True)
            loss.backward()  # type: ignore[no-untyped-call]
            _share_gradients(trained)
            nn.utils.clip_grad_norm_(trained, settings.clip_norm)
            optimizer.step()
            averaged.update_parameters(module)
            step += 1
            for key, value in {"loss": loss.item(), **figures}.items():
                shown[key] = value if key not in shown else 0.98 * shown[key] + 0.02 * value
            elapsed = time.monotonic() - started
            left_s = elapsed / max(done, 1e-6) * (1 - done)
            text = "  ".join(f"{key} {value:.4f}" for key, value in shown.items())
            progress.update(bar, completed=step, left=f"{left_s / 60:.1f} min", figures=text)
            if together.is_main_process and time.monotonic() - saved > settings.checkpoint_every_s:
                _checkpoint(out, module, averaged, optimizer, step, elapsed, shown)
                saved = time.monotonic()
            if together.is_main_process and time.monotonic() - drawn > settings.sheet_every_s:
                _draw(task, averaged.module, out, step)
                drawn = time.monotonic()
    if together.is_main_process:
        _checkpoint(out, module, averaged, optimizer, step, time.monotonic() - started, shown)
        _draw(task, averaged.module, out, step)
    together.wait_for_everyone()
    result: nn.Module = averaged.module
    return result.eval()


def _layout(module: nn.Module, target: torch.device) -> torch.memory_format:
    """Channels last, unless group norms meet a CPU: its kernel for them is 30 times slower so."""
    grouped = any(isinstance(part, nn.GroupNorm) for part in module.modules())
    return torch.contiguous_format if grouped and target.type == "cpu" else torch.channels_last


def _agreed(elapsed_s: float) -> float:
    """The first process's clock: all must end at the same step."""
    return float(broadcast(torch.tensor(elapsed_s, dtype=torch.float64, device=device())))


def _share_gradients(trained: list[nn.Parameter]) -> None:
    if crew().num_processes > 1:
        for value in trained:
            if value.grad is not None:
                value.grad = reduce(value.grad, "mean")


def _share_done(settings: LoopSettings, step: int, elapsed_s: float) -> float:
    by_time = elapsed_s / (settings.minutes * 60) if settings.minutes else 0.0
    return max(step / settings.steps, by_time)


def _rate(settings: LoopSettings, step: int, done: float) -> float:
    warm = min(1.0, (step + 1) / max(1, settings.warmup_steps))
    cosine = 0.5 * (1 + math.cos(math.pi * min(1.0, done)))
    return warm * (settings.final_rate + (1 - settings.final_rate) * cosine)


def _draw(task: Task, averaged: nn.Module, out: Path, step: int) -> None:
    with torch.inference_mode():
        sheet = task.sheet(averaged.eval())
    if sheet is not None:
        (out / f"sheet-{step:07d}.png").write_bytes(encode_png(sheet))


def _checkpoint(
    out: Path,
    module: nn.Module,
    averaged: AveragedModel,
    optimizer: torch.optim.Optimizer,
    step: int,
    spent_s: float,
    figures: dict[str, float],
) -> None:
    out.mkdir(parents=True, exist_ok=True)
    tensors = {f"module.{key}": value for key, value in module.state_dict().items()}
    tensors |= {f"average.{key}": value for key, value in averaged.state_dict().items()}
    for index, state in optimizer.state_dict()["state"].items():
        tensors |= {f"optimizer.{index}.{key}": value for key, value in state.items()}
    whole = {key: value.detach().clone().contiguous() for key, value in tensors.items()}
    state = {"step": step, "spent_s": round(spent_s, 1), "figures": figures}
    with replacing(out / "checkpoint.safetensors") as aside:
        save_file(whole, aside, {"state": json.dumps(state)})
    (out / "progress.json").write_text(json.dumps(state, indent=2) + "\n")


def _resume(
    out: Path, module: nn.Module, averaged: AveragedModel, optimizer: torch.optim.Optimizer
) -> tuple[int, float]:
    out.mkdir(parents=True, exist_ok=True)
    file = out / "checkpoint.safetensors"
    if not file.exists():
        return 0, 0.0
    from safetensors import safe_open

    with safe_open(file, "pt") as opened:
        state = json.loads(opened.metadata()["state"])
    tensors = load_file(file)

    def part(prefix: str) -> dict[str, Tensor]:
        return {key[len(prefix) :]: v for key, v in tensors.items() if key.startswith(prefix)}

    module.load_state_dict(part("module."))
    averaged.load_state_dict(part("average."))
    moments: dict[int, dict[str, Tensor]] = {}
    for key, value in part("optimizer.").items():
        index, _, name = key.partition(".")
        moments.setdefault(int(index), {})[name] = value
    groups = optimizer.state_dict()["param_groups"]
    optimizer.load_state_dict({"state": moments, "param_groups": groups})
    return int(state["step"]), float(state["spent_s"])
