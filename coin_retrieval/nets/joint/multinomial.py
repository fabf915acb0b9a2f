"""Multinomial diffusion: labels that noise turns into labels at random.

Hoogeboom et al. 2021 (arXiv 2102.05379). A label keeps itself with probability ᾱ and else is drawn
anew, evenly among all. Probabilities are [b classes h w] and sum to 1 over the classes.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

_TINY = 1e-12


def one_hot(labels: Tensor, classes: int) -> Tensor:
    """Labels int64 [b h w] as certain probabilities."""
    return F.one_hot(labels, classes).movedim(-1, 1).float()


def noised(clean: Tensor, kept: Tensor) -> Tensor:
    """Probabilities of the noised labels; ``kept`` is ᾱ of each picture, [b]."""
    kept = kept.view(-1, 1, 1, 1)
    return kept * clean + (1 - kept) / clean.shape[1]


def drawn(probabilities: Tensor, uniform: Tensor) -> Tensor:
    """A label of every place, int64 [b h w], by uniform numbers [b classes h w] (Gumbel's way)."""
    gumbel = -torch.log(-torch.log(uniform.clamp(_TINY, 1 - 1e-7)))
    return (probabilities.clamp(min=_TINY).log() + gumbel).argmax(dim=1)


def posterior(noisy: Tensor, clean: Tensor, kept_before: Tensor, kept: Tensor) -> Tensor:
    """Of the labels at an earlier time, given those now (certain) and what is clean.

    Args:
        noisy: the labels now, as probabilities.
        clean: probabilities of the clean labels.
        kept_before, kept: ᾱ at the earlier time and now, [b]; the times may lie far apart.
    """
    step = (kept / kept_before).view(-1, 1, 1, 1)
    came_from = step * noisy + (1 - step) / noisy.shape[1]
    joint = came_from * noised(clean, kept_before)
    return joint / joint.sum(dim=1, keepdim=True).clamp(min=_TINY)


def divergence(true: Tensor, given: Tensor) -> Tensor:
    """Kullback-Leibler divergence at every place, [b h w]."""
    true, given = true.clamp(min=_TINY), given.clamp(min=_TINY)
    return (true * (true.log() - given.log())).sum(dim=1)
