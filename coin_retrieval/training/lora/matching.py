"""A LoRA of a distilled base: its whole drawings beside the laboratory's own pictures."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from coin_retrieval.errors import LoraError
from coin_retrieval.training.generator.leaps import Velocity
from coin_retrieval.training.generator.matching import Matching, WholeDrawings
from coin_retrieval.training.loop import device
from coin_retrieval.training.lora.material import Material
from coin_retrieval.training.lora.recipe import LoraRecipe
from coin_retrieval.training.lora.task import LoraTask
from coin_retrieval.training.pictures.data import PackedCases

_FEWEST = 2


class LoraMatchingTask(LoraTask):
    """As :class:`.MatchingTask`, with a LoRA instead of all weights, and the laboratory's reports.

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
        named: dict[str, list[int]] = {}
        for number, row in enumerate(cases.rows):
            named.setdefault(row.finding, []).append(number)
        findings = {
            place: np.array(rows)
            for place, rows in enumerate(named.values())
            if len(rows) >= _FEWEST
        }
        if not findings:
            raise LoraError(
                "nothing to compare drawings with",
                value=f"{len(cases.rows)} pictures of {len(named)} findings",
                expected=f"{_FEWEST} pictures of a finding at least",
            )
        super().__init__(pipeline.unet, pipeline.scheduler, material, recipe)
        self._vae = pipeline.vae.requires_grad_(False).eval().to(device())
        self._drawings = WholeDrawings(cases, findings, pipeline.scheduler, matching, eyes=eyes)

    def loss(self, random: np.random.Generator) -> tuple[Tensor, dict[str, float]]:
        """The loss of one batch of whole drawings; see :class:`.Task`."""

        def student_of(rows: np.ndarray) -> tuple[Velocity, Velocity]:
            chosen = self._shown.prompts.pick(rows, random, drop=0.0)
            return (
                lambda state, time: self._velocity(state, time, chosen),
                lambda state, time: self._base_velocity(state, time, chosen),
            )

        shape = self._shown.latents.shape[2:]
        return self._drawings.loss(random, student_of, self._decode, shape=shape)

    def _decode(self, latents: Tensor) -> Tensor:
        # the base may be held in half precision; what sees its drawings is not
        held = (latents / self._vae.config.scaling_factor).to(self._vae.dtype)
        pictures: Tensor = self._vae.decode(held).sample.float()
        return pictures

    def _velocity(self, state: Tensor, time: int, chosen: Tensor) -> Tensor:
        times = torch.full((len(state),), time, device=state.device)
        return self._denoise(state, times, chosen).float()

    def _base_velocity(self, state: Tensor, time: int, chosen: Tensor) -> Tensor:
        self._unet.disable_adapters()
        before = self._velocity(state, time, chosen)
        self._unet.enable_adapters()
        return before
