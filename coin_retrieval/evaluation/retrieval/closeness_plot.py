"""Scores inside and outside an archive, as a histogram."""

from __future__ import annotations

import io

import numpy as np

from coin_retrieval.evaluation.retrieval.closeness import CloseMatchFigures

_INSIDE, _OUTSIDE, _THRESHOLD = "#0072B2", "#E69F00", "#14222a"
_BINS = 24
_DPI = 150


def close_match_png(figures: CloseMatchFigures) -> bytes:
    """Both distributions with the archive's threshold, as PNG bytes.

    Shares, not counts: the two sets are seldom of one size.
    """
    from matplotlib.figure import Figure

    page = Figure(figsize=(7, 3.6), layout="constrained")
    axes = page.subplots()
    inside, outside = np.array(figures.inside_scores), np.array(figures.outside_scores)
    together = np.concatenate([inside, outside])
    bins = np.linspace(together.min() - 1e-6, together.max() + 1e-6, _BINS + 1).tolist()
    for scores, colour, name in (
        (inside, _INSIDE, f"inside ({figures.inside})"),
        (outside, _OUTSIDE, f"outside ({figures.outside})"),
    ):
        axes.hist(
            scores, bins=bins, weights=np.full(len(scores), 1 / len(scores)), alpha=0.6,
            color=colour, label=name,
        )  # fmt: skip
    if figures.threshold is not None:
        axes.axvline(figures.threshold, color=_THRESHOLD, linestyle="--", label="threshold")
    axes.set_xlabel(f"mean similarity of the first {figures.places} cases, mode {figures.mode}")
    axes.set_ylabel("share of queries")
    axes.set_title(f"AUROC {figures.auroc}", fontsize=10)
    axes.legend(frameon=False)
    buffer = io.BytesIO()
    page.savefig(buffer, format="png", dpi=_DPI)
    return buffer.getvalue()
