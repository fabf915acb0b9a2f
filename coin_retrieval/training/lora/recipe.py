"""What of a generator is adapted, and how."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from coin_retrieval.config import DiffusersGeneratorSettings
from coin_retrieval.nets.model_card import ModelCard, read_card
from coin_retrieval.starter import GENERATOR
from coin_retrieval.training.generator.matching import Matching
from coin_retrieval.training.loop import LoopSettings
from coin_retrieval.training.run_folder import recipe_path


class LoraRecipe(BaseModel):
    """One YAML file; the defaults are those of diffusers' own SDXL script, with min-SNR.

    ``side_px`` ``None`` is the size that the base draws. ``layers`` are the ends of the names of
    the U-Net's layers that learn, each through two thin matrices of ``rank``; ``alpha`` ``None`` is
    the rank. A row without a report is trained on ``captions`` composed ones. Pictures are drawn by
    ``balance`` among groups of one finding in one stain, or of one site: 1 each picture equally
    often, 0 each group. ``orientations`` are the square's symmetries that a picture is shown in.
    ``min_snr`` ``None`` weighs all times alike.

    With ``matching`` whole drawings in the base's own few steps are taught instead of its
    denoising: what a distilled base wants, of which denoising would ask for the mean.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    loop: LoopSettings
    side_px: int | None = Field(default=None, gt=0, multiple_of=8)
    batch: int = Field(default=1, gt=0)
    rank: int = Field(default=4, gt=0)
    alpha: float | None = Field(default=None, gt=0)
    layers: tuple[str, ...] = ("to_q", "to_k", "to_v", "to_out.0")
    captions: int = Field(default=4, gt=0)
    balance: float = Field(default=1.0, ge=0, le=1)
    balance_by: Literal["finding", "site"] = "finding"
    orientations: tuple[int, ...] = tuple(range(8))
    prompt_drop: float = Field(default=0.1, ge=0, lt=1)
    min_snr: float | None = Field(default=5.0, gt=0)
    gradient_checkpointing: bool = False
    matching: Matching | None = None


def usual_recipe(base: DiffusersGeneratorSettings, *, size: str) -> Path:
    """The shipped recipe that suits a base.

    The starter is distilled: taught by its whole drawings it finds a laboratory's cases better, by
    denoising worse. It is known by its card, so wherever a copy of it lies.

    Raises:
        WeightsError: the base's card cannot be read.
    """
    if _drawn_as(read_card(Path(base.model))) == _drawn_as(read_card(GENERATOR)):
        return recipe_path("lora-drawings", size="cpu")
    return recipe_path("lora", size=size)


def _drawn_as(card: ModelCard) -> tuple[str | None, int | None, float | None]:
    return card.name, card.steps, card.guidance
