"""What a base is shown: latents of pictures, encoded once, and their prompts, read once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from coin_retrieval.errors import LoraError
from coin_retrieval.generation.prompts import unread_tail
from coin_retrieval.generation.tokenizers import token_limit
from coin_retrieval.nets.orientations import dihedral
from coin_retrieval.tables.cases import CaseRow
from coin_retrieval.training.loop import device
from coin_retrieval.training.lora.recipe import LoraRecipe
from coin_retrieval.training.pictures.data import PackedCases
from coin_retrieval.training.pictures.sampling import balanced_weights
from coin_retrieval.wordings.captions import compose_report

_TOGETHER = 4


@dataclass(frozen=True)
class Prompts:
    """Prompts as the base reads them: the last one is of no words, for guidance.

    ``tokens`` [prompts length dim]; ``pooled`` [prompts dim] of an SDXL, else ``None``. ``of_row``
    are each row's prompts, ``partly_read`` how many are longer than the base reads.
    """

    tokens: Tensor
    pooled: Tensor | None
    of_row: tuple[tuple[int, ...], ...]
    partly_read: int

    def pick(self, rows: np.ndarray, random: np.random.Generator, *, drop: float) -> Tensor:
        """A prompt of each of these rows, or at times none, int64 [b]."""
        found = [self.of_row[row][random.integers(len(self.of_row[row]))] for row in rows]
        return torch.from_numpy(
            np.where(random.random(len(rows)) < drop, len(self.tokens) - 1, found)
        )


@dataclass(frozen=True)
class Material:
    """All that a LoRA is trained on: squares of ``side_px`` as ``latents`` [orientations n c h w].

    ``weights`` [n] say how often each is drawn; ``guidance`` [1 dim] is the embedding of none, for
    U-Nets that are told how much is folded in.
    """

    latents: Tensor
    prompts: Prompts
    weights: np.ndarray
    side_px: int
    guidance: Tensor | None = None


def material_of(pipeline: Any, cases: PackedCases, recipe: LoraRecipe) -> Material:
    """What a loaded Stable Diffusion or SDXL makes of pictures and reports.

    Raises:
        LoraError: a pipeline of another kind.
        CaseTableError: a row without a report and without words to compose one.
    """
    if "unet" not in pipeline.components:
        raise LoraError(
            "this pipeline takes no such LoRA",
            value=type(pipeline).__name__,
            expected="a Stable Diffusion or SDXL pipeline, which have a U-Net",
        )
    folded = pipeline.unet.config.time_cond_proj_dim
    return Material(
        prompts=read_prompts(pipeline, cases.rows, captions=recipe.captions, seed=recipe.loop.seed),
        latents=encode_pictures(pipeline, cases, recipe.orientations),
        weights=balanced_weights(cases.rows, power=recipe.balance, by=recipe.balance_by),
        side_px=cases.pixels.shape[1],
        guidance=None
        if folded is None
        else pipeline.get_guidance_scale_embedding(torch.zeros(1), embedding_dim=folded),
    )


def texts_of(row: CaseRow, count: int, random: np.random.Generator) -> list[str]:
    """The row's own report, or as many composed ones.

    Raises:
        CaseTableError: no report, and a finding without words to compose one.
    """
    if row.report.strip():
        return [row.report.strip()]
    return [compose_report(row, random) for _ in range(count)]


@torch.inference_mode()
def read_prompts(pipeline: Any, rows: Sequence[CaseRow], *, captions: int, seed: int) -> Prompts:
    """All prompts of all rows through the base's own text encoders.

    Raises:
        CaseTableError: as :func:`texts_of`.
    """
    random = np.random.default_rng(seed)
    texts = [texts_of(row, captions, random) for row in rows]
    distinct = [*dict.fromkeys(text for some in texts for text in some), ""]
    limits = [
        token_limit(tokenizer, None)
        for name, tokenizer in pipeline.components.items()
        if name.startswith("tokenizer") and tokenizer is not None
    ]
    parts = [
        pipeline.encode_prompt(
            prompt=distinct[start : start + _TOGETHER],
            device=device(),
            num_images_per_prompt=1,
            do_classifier_free_guidance=False,
        )
        for start in range(0, len(distinct), _TOGETHER)
    ]
    place = {text: number for number, text in enumerate(distinct)}
    pooled = torch.cat([part[2] for part in parts]) if len(parts[0]) > 2 else None
    return Prompts(
        tokens=torch.cat([part[0] for part in parts]),
        pooled=pooled,
        of_row=tuple(tuple(place[text] for text in some) for some in texts),
        partly_read=sum(bool(unread_tail(text, limits)) for text in distinct),
    )


@torch.inference_mode()
def encode_pictures(pipeline: Any, cases: PackedCases, orientations: Sequence[int]) -> Tensor:
    """Scaled latents [orientations n c h w], on the CPU."""
    vae = pipeline.vae
    turned = []
    for which in orientations:
        parts = []
        for start in range(0, len(cases.rows), _TOGETHER):
            rows = np.arange(start, min(start + _TOGETHER, len(cases.rows)))
            images = dihedral(cases.batch(rows), which).to(vae.device, vae.dtype)
            found = vae.encode(images)
            latents = found.latent_dist.mode() if hasattr(found, "latent_dist") else found.latents
            parts.append((latents * vae.config.scaling_factor).cpu())
        turned.append(torch.cat(parts))
    return torch.stack(turned)
