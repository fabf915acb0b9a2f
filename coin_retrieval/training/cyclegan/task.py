"""What a CycleGAN learns: both directions, each judged by a critic, and the way there and back.

Zhu et al. 2017 (arXiv 1703.10593): least-squares critics, cycle weight 10, identity weight half of
it; without their buffer of earlier drawings and with one optimiser.
"""

from __future__ import annotations

import numpy as np
import torch
import torch.nn.functional as F
from pydantic import BaseModel, ConfigDict, Field
from torch import Tensor, nn
from torch.func import functional_call

from coin_retrieval.nets.cyclegan import CycleGanConfig, Translation
from coin_retrieval.training.generator.decoder import PatchCritic, fixed
from coin_retrieval.training.loop import LoopSettings, Task, device
from coin_retrieval.training.pictures.sheets import grid, to_uint8
from coin_retrieval.types import RgbImage

_SHOWN = 8


class CycleGanRecipe(BaseModel):
    """The network's shape and its training; one YAML file."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    loop: LoopSettings
    config: CycleGanConfig = CycleGanConfig()
    batch: int = Field(default=1, gt=0)
    critic_channels: int = Field(default=64, gt=0)
    cycle: float = Field(default=10.0, ge=0)
    identity: float = Field(default=5.0, ge=0)


class CycleGanTask(Task):
    """``there`` and ``back`` between two sets of pictures, uint8 [n side side 3] each."""

    def __init__(self, first: np.ndarray, second: np.ndarray, recipe: CycleGanRecipe) -> None:
        self._first, self._second, self._recipe = first, second, recipe
        self.module: nn.Module = nn.ModuleDict(
            {
                "there": Translation(recipe.config),
                "back": Translation(recipe.config),
                "critic_there": PatchCritic(recipe.critic_channels),
                "critic_back": PatchCritic(recipe.critic_channels),
            }
        )

    def loss(self, random: np.random.Generator) -> tuple[Tensor, dict[str, float]]:
        """Translators' and critics' losses in one sum; neither reaches the other's weights."""
        recipe = self._recipe
        real = {
            "back": self._batch(self._first, random),
            "there": self._batch(self._second, random),
        }
        there, back = (self.module[name] for name in ("there", "back"))  # type: ignore[index]
        drawn = {"there": there(real["back"]), "back": back(real["there"])}
        cycle = F.l1_loss(back(drawn["there"]), real["back"]) + F.l1_loss(
            there(drawn["back"]), real["there"]
        )
        total, figures = recipe.cycle * cycle, {"cycle": cycle.item() / 2}
        if recipe.identity:
            same = F.l1_loss(there(real["there"]), real["there"])
            same = same + F.l1_loss(back(real["back"]), real["back"])
            total = total + recipe.identity * same
        for name in ("there", "back"):
            critic = self.module[f"critic_{name}"]  # type: ignore[index]
            own = (critic(real[name])[0] - 1).square().mean()
            own = (own + critic(drawn[name].detach())[0].square().mean()) / 2
            judged, _ = functional_call(critic, fixed(critic), (drawn[name],))
            total = total + own + (judged - 1).square().mean()
            figures[f"critic_{name}"] = own.item()
        return total, figures

    def sheet(self, averaged: nn.Module) -> RgbImage:
        """Pictures above, their translations in the middle, the way back below."""
        chosen = np.linspace(0, len(self._first) - 1, _SHOWN).astype(int)
        real = _tensor(self._first[chosen]).to(device())
        drawn = averaged["there"](real)  # type: ignore[index]
        again = averaged["back"](drawn)  # type: ignore[index]
        return grid(to_uint8(torch.cat([real, drawn, again])), columns=_SHOWN)

    def _batch(self, pictures: np.ndarray, random: np.random.Generator) -> Tensor:
        chosen = pictures[random.integers(len(pictures), size=self._recipe.batch)]
        turned = np.rot90(chosen, int(random.integers(4)), axes=(1, 2))
        return _tensor(turned[:, :, ::-1] if random.random() < 0.5 else turned).to(device())


def _tensor(pictures: np.ndarray) -> Tensor:
    held = torch.from_numpy(np.ascontiguousarray(pictures))
    return held.permute(0, 3, 1, 2).float().div(127.5).sub(1)
