"""A LoRA of a distilled base: its whole drawings beside the laboratory's own pictures."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from coin_retrieval.errors import LoraError
from coin_retrieval.training.generator.energy import EnergyDistance
from coin_retrieval.training.generator.leaps import Leaps
from coin_retrieval.training.generator.matching import Matching
from coin_retrieval.training.loop import device
from coin_retrieval.training.lora.material import Material
from coin_retrieval.training.lora.recipe import LoraRecipe
from coin_retrieval.training.lora.task import LoraTask
from coin_retrieval.training.pictures.data import PackedCases

_FEWEST = 2


class LoraMatchingTask(LoraTask):
    """The energy distance of drawings from the laboratory's pictures of their finding.

    As :class:`.MatchingTask`, with a LoRA instead of all weights, and the laboratory's reports.

    Raises:
        LoraError: as :class:`.LoraTask`; or the base predicts no velocities, or no finding has two
            pictures.
    """

    def __init__(
        self,
        pipeline: Any,
        material: Material,
        cases: PackedCases,
        recipe: LoraRecipe,
        matching: Matching,
        *,
        eyes: Sequence[nn.Module],
    ) -> None:
        if pipeline.scheduler.config.prediction_type != "v_prediction":
            raise LoraError(
                "this base is not taught by whole drawings",
                value=f"it predicts {pipeline.scheduler.config.prediction_type}",
                expected="v_prediction, as a distilled generator of coin train",
                remedy="leave matching out of the recipe",
            )
        names = sorted({row.finding for row in cases.rows})
        rows = {
            number: np.flatnonzero([row.finding == name for row in cases.rows])
            for number, name in enumerate(names)
        }
        self._rows = {number: own for number, own in rows.items() if len(own) >= _FEWEST}
        if not self._rows:
            raise LoraError(
                "nothing to compare drawings with",
                value=f"{len(cases.rows)} pictures of {len(names)} findings",
                expected=f"{_FEWEST} pictures of a finding at least",
            )
        super().__init__(pipeline.unet, pipeline.scheduler, material, recipe)
        self._matching = matching
        self._vae = pipeline.vae.requires_grad_(False).eval().to(device())
        self._leaps = Leaps(pipeline.scheduler, matching.steps)
        shares = np.array([material.weights[own].sum() for own in self._rows.values()])
        self._shares = shares / shares.sum()
        self._distance = EnergyDistance(
            cases, self._rows, eyes=eyes, real=matching.real, kept=matching.kept
        )

    def loss(self, random: np.random.Generator) -> tuple[Tensor, dict[str, float]]:
        """The loss of one batch of whole drawings; see :class:`.Task`."""
        matching, each = self._matching, self._matching.of_each
        count = min(matching.findings, len(self._rows))
        findings = random.choice(list(self._rows), count, replace=False, p=self._shares).tolist()
        rows = np.concatenate([random.choice(self._rows[finding], each) for finding in findings])
        chosen = self._shown.prompts.pick(rows, random, drop=0.0)
        noise = torch.randn((len(rows), *self._shown.latents.shape[2:]), device=device())
        latents, moved = self._leaps.draw_beside(
            lambda state, time: self._velocity(state, time, chosen),
            lambda state, time: self._base_velocity(state, time, chosen),
            noise,
            at=int(random.integers(len(self._leaps))),
        )
        pictures = self._vae.decode(latents / self._vae.config.scaling_factor).sample
        distance = self._distance.of(pictures, findings)
        total = distance + matching.anchor_weight * moved
        return total, {"distance": distance.item(), "moved": moved.item()}

    def _velocity(self, state: Tensor, time: int, chosen: Tensor) -> Tensor:
        times = torch.full((len(state),), time, device=state.device)
        return self._denoise(state, times, chosen).float()

    def _base_velocity(self, state: Tensor, time: int, chosen: Tensor) -> Tensor:
        self._unet.disable_adapters()
        before = self._velocity(state, time, chosen)
        self._unet.enable_adapters()
        return before
