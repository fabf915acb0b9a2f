"""Teach an encoder's text head again, against the pictures' finished embeddings.

While the image tower learns, its space moves, and each step shows the head as many wordings as
pictures. Afterwards the space stands still, and wordings cost nothing: minutes bring thousands of
batches (locked-image tuning, Zhai et al. 2022, arXiv 2111.07991).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import torch
import torch.nn.functional as F
from pydantic import BaseModel, ConfigDict, Field
from torch import Tensor, nn

from coin_retrieval.nets.compute import mixed_precision
from coin_retrieval.training.encoder.losses import (
    discriminant_directions,
    multi_positive,
    soft_confusion,
)
from coin_retrieval.training.loop import LoopSettings, Task, device
from coin_retrieval.training.pictures.data import PackedCases
from coin_retrieval.training.pictures.sampling import balanced_weights
from coin_retrieval.training.texts import CaptionPool, jittered, kept_shares

Vary = Callable[[Tensor, np.ndarray], Tensor]
"""From pictures [b 3 h w] and their numbers to what the tower is shown."""


class TextHeadRecipe(BaseModel):
    """How long and on how many reports; a part of the encoder's recipe.

    ``views`` are pictures varied at random beside each as it is: words shall meet a finding where
    other laboratories' pictures of it lie, too. A ``mixed_share`` of the reports has another mixed
    in, and states both. By ``directions_weight`` each is led to where its finding differs from the
    others (:func:`.discriminant_directions`), and by so much to others as its pictures are taken
    for theirs (:func:`.soft_confusion`), beside the pictures of the batch: a wording that nobody
    thought of shall end at a finding, not between two, unless its pictures lie there.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    loop: LoopSettings
    batch: int = Field(default=512, gt=0)
    balance: float = Field(default=0.25, ge=0, le=1)
    jitter: float = Field(default=0.5, ge=0)
    scale: float = Field(default=20.0, gt=0)
    views: int = Field(default=0, ge=0)
    mixed_share: float = Field(default=0.5, ge=0, le=1)
    directions_weight: float = Field(default=3.0, ge=0)
    shrinkage: float = Field(default=0.1, gt=0)
    sharpness: float = Field(default=40.0, gt=0)


class TextHeadTask(Task):
    """Symmetric multi-positive contrast of reports with embeddings that do not move, and with the
    directions of their findings.

    Args:
        images: unit embeddings of the pictures' views, float32 [n views dim].
        head: from pooled text states to the space.
    """

    def __init__(
        self,
        cases: PackedCases,
        captions: CaptionPool,
        images: Tensor,
        head: nn.Module,
        recipe: TextHeadRecipe,
    ) -> None:
        self._captions, self._images, self._recipe = captions, images, recipe
        self._weights = balanced_weights(cases.rows, power=recipe.balance)
        findings = sorted({row.finding for row in cases.rows})
        labels = torch.tensor([findings.index(row.finding) for row in cases.rows])
        self._stated = F.one_hot(labels, len(findings)).float()
        weights = torch.from_numpy(self._weights).float()
        directions = discriminant_directions(
            images[:, 0], labels, weights, shrinkage=recipe.shrinkage
        )
        confused = soft_confusion(images, labels, directions, sharpness=recipe.sharpness)
        self._directions, self._confused = directions.to(device()), confused.to(device())
        self.module = head

    def loss(self, random: np.random.Generator) -> tuple[Tensor, dict[str, float]]:
        """The loss of one batch; see :class:`.Task`."""
        recipe = self._recipe
        rows = random.choice(len(self._weights), size=recipe.batch, p=self._weights)
        other = torch.from_numpy(random.permutation(recipe.batch))
        kept = kept_shares(recipe.batch, random, mixed=recipe.mixed_share)
        pooled, shown = self._captions.draw(rows, random), self._stated[torch.from_numpy(rows)]
        read = jittered(kept * pooled + (1 - kept) * pooled[other], recipe.jitter).to(device())
        stated = (kept * shown + (1 - kept) * shown[other]).to(device())
        text = F.normalize(self.module(read), dim=-1).float()
        view = torch.from_numpy(random.integers(self._images.shape[1], size=recipe.batch))
        across = recipe.scale * text @ self._images[torch.from_numpy(rows), view].to(device()).T
        same = stated @ shown.to(device()).T
        named = recipe.scale * text @ self._directions.T
        hits = (named.argmax(1) == stated.argmax(1)).float().mean()
        pictures = 0.5 * (multi_positive(across, same) + multi_positive(across.T, same.T))
        directions = multi_positive(named, stated @ self._confused)
        return pictures + recipe.directions_weight * directions, {"hit": hits.item()}


@torch.inference_mode()
def embed_views(
    tower: nn.Module, cases: PackedCases, vary: Sequence[Vary], *, batch: int
) -> Tensor:
    """Unit embeddings of every picture as each of ``vary`` shows it, float32 [n views dim]."""
    parts = []
    for start in range(0, len(cases.rows), batch):
        numbers = np.arange(start, min(start + batch, len(cases.rows)))
        views = []
        for shown in vary:
            seen = shown(cases.batch(numbers), numbers)
            with mixed_precision(device()):
                embedded = tower(seen.to(device(), memory_format=torch.channels_last))
            views.append(F.normalize(embedded.float(), dim=-1).cpu())
        parts.append(torch.stack(views, 1))
    return torch.cat(parts)
