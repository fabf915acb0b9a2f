"""Losses that no library has, and what they lead towards."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor


def multi_positive(logits: Tensor, positive: Tensor) -> Tensor:
    """Cross entropy of each row against its positives, each by its share of them.

    Args:
        logits: [n m].
        positive: [n m], bool, or float of 0 to 1: how much of a positive it is; rows without any
            positive do not count.
    """
    weights = positive.float()
    counted = weights.any(1)
    share = weights[counted] / weights[counted].sum(1, keepdim=True)
    return -(share * logits[counted].log_softmax(1)).sum(1).mean()


def discriminant_directions(
    embeddings: Tensor, labels: Tensor, weights: Tensor, *, shrinkage: float
) -> Tensor:
    """Where each label lies as far as it differs from the others, unit vectors [labels dim].

    Means through the inverse of what varies within labels (Fisher 1936), which is moved towards a
    sphere (regularised discriminant analysis, Friedman 1989).

    Args:
        embeddings: [n dim]. labels: int64 [n], from 0 on without gaps. weights: [n], of sum 1.
        shrinkage: the sphere's share beside one of what was measured.
    """
    means = torch.stack([embeddings[labels == one].mean(0) for one in range(int(labels.max()) + 1)])
    within = embeddings - means[labels]
    covariance = (within * weights[:, None]).T @ within
    sphere = torch.eye(len(covariance)) * covariance.trace() / len(covariance)
    directions = torch.linalg.solve(covariance + shrinkage * sphere, means.T).T
    return F.normalize(directions, dim=-1)


def soft_confusion(
    embeddings: Tensor, labels: Tensor, directions: Tensor, *, sharpness: float
) -> Tensor:
    """How near each label's pictures lie to every label's direction, rows of sum 1 [labels labels].

    Where pictures cannot be told apart, their words should not be (class-wise soft labels,
    Hinton et al. 2015, arXiv 1503.02531).

    Args:
        embeddings: [n views dim]. labels: int64 [n]. directions: unit vectors [labels dim].
    """
    shares = (sharpness * embeddings @ directions.T).softmax(-1).mean(1)
    return torch.stack([shares[labels == one].mean(0) for one in range(len(directions))])
