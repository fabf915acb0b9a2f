"""How far drawn pictures of a group are from the real ones, as distributions of what is seen.

The energy distance (Székely and Rizzo 2013, "Energy statistics: a class of statistics based on
distances") of what frozen networks see at each depth: it draws every drawing towards the real
pictures of its group and away from the other drawings of it, and is none when both are alike. No
critic has to be taught (compare Li et al. 2015, arXiv 1502.02761).

Among hundreds of features it is the means that count: how pictures differ from each other, and in
what, weighs the less the more features there are (Langmore 2025, arXiv 2505.20647), and drawings
that all have the same size and stain cost next to nothing. So each depth is looked at twice more, a
few directions at a time: along those in which real pictures of a group differ most, and along those
in which groups differ most from each other (Fisher 1936), by which a picture is named.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np
import torch
from torch import Tensor, nn

from coin_retrieval.training.loop import device
from coin_retrieval.training.pictures.data import PackedCases

_LOOKED_AT_ONCE = 64
_TOGETHER, _FEW_MOST = 4, 8
_APART_MOST, _SPHERE = 10, 0.1
_FAINT_SHARE = 0.01
_PICTURES_AN_AXIS = 8


class EnergyDistance:
    """Of drawings from the real pictures of their group, but for what no drawing changes.

    Args:
        cases: the real pictures.
        groups: the rows of each group, of which at most ``real``, from all over, are compared.
        eyes: frozen networks that give features [b c h w] at several depths of pictures
            [b 3 h w] in [-1, 1]. Each depth counts alike; of each feature its mean over the
            picture and its spread there: all of them at once, and four at a time their first
            principal components within groups, whitened, and their canonical variates.
        kept: with how many of a group's last drawings new ones are compared.
        apart: whether the canonical variates count.
    """

    def __init__(
        self,
        cases: PackedCases,
        groups: Mapping[int, np.ndarray],
        *,
        eyes: Sequence[nn.Module],
        real: int,
        kept: int,
        apart: bool = True,
    ) -> None:
        self._eyes = [eye.requires_grad_(False).eval().to(device()) for eye in eyes]
        self._kept = kept
        seen = {g: self._look_at(cases, evenly(rows, real)) for g, rows in groups.items()}
        every = [torch.cat(depth) for depth in zip(*seen.values(), strict=True)]
        self._spread = [(part.std(0) + 1e-3) * part.shape[1] ** 0.5 for part in every]
        self._axes = [
            _axes_of([part / spread for part in depth], apart=apart)
            for depth, spread in zip(zip(*seen.values(), strict=True), self._spread, strict=True)
        ]
        self._real = {group: self._compared(parts) for group, parts in seen.items()}
        self._drawn: dict[int, list[Tensor]] = {}

    def of(self, pictures: Tensor, groups: Sequence[int]) -> Tensor:
        """Mean over the groups, of whose drawings [b 3 h w] as many each come one after another.

        They are kept, and those after them compared with them.
        """
        seen = self._compared(self._look(pictures.clamp(-1, 1)))
        each = len(pictures) // len(groups)
        parts = zip(*(torch.split(part, each, 1) for part in seen), strict=True)
        distances = [self._of_group(g, part) for g, part in zip(groups, parts, strict=True)]
        return torch.stack(distances).mean()

    def _of_group(self, group: int, seen: Sequence[Tensor]) -> Tensor:
        before = self._drawn.get(group, [part[:, :0].detach() for part in seen])
        compared = [torch.cat([b, own.detach()], 1) for b, own in zip(before, seen, strict=True)]
        self._drawn[group] = [part[:, -self._kept :] for part in compared]
        distances = []
        for own, real, drawn in zip(seen, self._real[group], compared, strict=True):
            # each is among those it is compared with, and nothing away from itself
            pairs = own.shape[1] * (drawn.shape[1] - 1)
            apart = torch.cdist(own, drawn).sum((1, 2)).mean() / pairs
            distances.append(torch.cdist(own, real).mean() - apart)
        return torch.stack(distances).sum() / len(self._spread)

    def _look(self, pictures: Tensor) -> list[Tensor]:
        return [
            torch.cat([depth.mean((2, 3)), depth.flatten(2).std(2)], 1).float()
            for eye in self._eyes
            for depth in eye(pictures)
        ]

    @torch.no_grad()
    def _look_at(self, cases: PackedCases, rows: np.ndarray) -> list[Tensor]:
        parts = [
            self._look(cases.batch(rows[start : start + _LOOKED_AT_ONCE]).to(device()))
            for start in range(0, len(rows), _LOOKED_AT_ONCE)
        ]
        return [torch.cat(depth) for depth in zip(*parts, strict=True)]

    def _compared(self, seen: Sequence[Tensor]) -> list[Tensor]:
        """Of each depth [n c] all features at once [1 n c], then a few at a time [k n f]."""
        scaled = [part / spread for part, spread in zip(seen, self._spread, strict=True)]
        few = [
            torch.einsum("nc,kcf->knf", part, axes)
            for part, both in zip(scaled, self._axes, strict=True)
            for axes in both
        ]
        return [part[None] for part in scaled] + few


def _axes_of(groups: Sequence[Tensor], *, apart: bool) -> list[Tensor]:
    within = torch.cat([group - group.mean(0) for group in groups])
    axes = [principal_axes(within)]
    return [*axes, canonical_axes(groups)] if apart and len(groups) > 1 else axes


def principal_axes(centred: Tensor) -> Tensor:
    """Where rows [n c] differ most: groups of axes [k c f], of which each group spreads by 1."""
    known = max(1, min(len(centred) // _PICTURES_AN_AXIS, centred.shape[1]))
    together = min(_TOGETHER, known)
    groups = min(_FEW_MOST, known // together)
    variances, axes = torch.linalg.eigh(centred.T @ centred / len(centred))
    most = groups * together
    variances, axes = variances.flip(0)[:most].clamp(min=0), axes.flip(1)[:, :most]
    # what hardly differs between real pictures is left as faint as it is
    whitened = axes / (variances + _FAINT_SHARE * variances[0]).sqrt()
    grouped: Tensor = whitened.T.reshape(groups, together, -1).transpose(1, 2)
    return grouped / math.sqrt(together)


def canonical_axes(groups: Sequence[Tensor]) -> Tensor:
    """Where groups' rows [n c] differ from each other most, beside what differs within them: groups
    of axes [k c f], of which each group spreads by 1 at most (canonical variates, Rao 1948).

    Every group counts alike; what varies within them is moved towards a sphere (regularised
    discriminant analysis, Friedman 1989).
    """
    means = torch.stack([group.mean(0) for group in groups])
    within = torch.stack([torch.cov(group.T, correction=0) for group in groups]).mean(0)
    within += _SPHERE * within.trace() / len(within) * torch.eye(len(within)).to(within)
    variances, axes = torch.linalg.eigh(within)
    whitened = axes / variances.sqrt()
    _, _, apart = torch.linalg.svd((means - means.mean(0)) @ whitened, full_matrices=False)
    known = min(len(groups) - 1, len(apart))
    together = min(_TOGETHER, known)
    count = min(_APART_MOST, known // together)
    most = apart[: count * together] @ whitened.T
    grouped: Tensor = most.reshape(count, together, -1).transpose(1, 2)
    return grouped / math.sqrt(together)


def evenly(rows: np.ndarray, count: int) -> np.ndarray:
    """At most ``count`` of the rows, from all over."""
    if len(rows) <= count:
        return rows
    chosen: np.ndarray = rows[np.linspace(0, len(rows) - 1, count).astype(int)]
    return chosen
