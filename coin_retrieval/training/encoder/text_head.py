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
from coin_retrieval.training.encoder.losses import multi_positive
from coin_retrieval.training.loop import LoopSettings, Task, device
from coin_retrieval.training.pictures.data import PackedCases
from coin_retrieval.training.pictures.sampling import balanced_weights
from coin_retrieval.training.texts import CaptionPool

Vary = Callable[[Tensor, np.ndarray], Tensor]
"""From pictures [b 3 h w] and their numbers to what the tower is shown."""


class TextHeadRecipe(BaseModel):
    """How long and on how many reports; a part of the encoder's recipe.

    ``views`` are pictures varied at random beside each as it is: words shall meet a finding where
    other laboratories' pictures of it lie, too.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    loop: LoopSettings
    batch: int = Field(default=512, gt=0)
    balance: float = Field(default=0.25, ge=0, le=1)
    jitter: float = Field(default=0.5, ge=0)
    scale: float = Field(default=20.0, gt=0)
    views: int = Field(default=0, ge=0)


class TextHeadTask(Task):
    """Symmetric multi-positive contrast of reports with embeddings that do not move.

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
        self._labels = torch.tensor([findings.index(row.finding) for row in cases.rows])
        self.module = head

    def loss(self, random: np.random.Generator) -> tuple[Tensor, dict[str, float]]:
        """The loss of one batch; see :class:`.Task`."""
        recipe = self._recipe
        rows = random.choice(len(self._weights), size=recipe.batch, p=self._weights)
        pooled = self._captions.draw(rows, random, jitter=recipe.jitter).to(device())
        text = F.normalize(self.module(pooled), dim=-1).float()
        index = torch.from_numpy(rows)
        view = torch.from_numpy(random.integers(self._images.shape[1], size=recipe.batch))
        across = recipe.scale * text @ self._images[index, view].to(device()).T
        labels = self._labels[index].to(device())
        same = labels[:, None] == labels[None, :]
        hits = same.gather(1, across.argmax(1, keepdim=True)).float().mean()
        loss = 0.5 * (multi_positive(across, same) + multi_positive(across.T, same))
        return loss, {"hit": hits.item()}


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
