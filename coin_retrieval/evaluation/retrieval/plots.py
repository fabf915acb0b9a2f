"""Plots of retrieval figures, by matplotlib (the extra ``evaluate``)."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from coin_retrieval.evaluation.extras import BLUE, COLOURS, ORANGE, png_of
from coin_retrieval.evaluation.retrieval.closeness import CloseMatchFigures
from coin_retrieval.evaluation.retrieval.figures import (
    FIGURES,
    ModeFigures,
    RetrievalFigures,
    title,
)
from coin_retrieval.evaluation.retrieval.leaving_out import LeavingOutFigures

_THRESHOLD = "#14222a"
_BINS = 24
_DARK = 0.6


def modes_png(figures: RetrievalFigures) -> bytes:
    """Bars of every macro figure, a colour a mode, with 95 % intervals, as PNG bytes."""
    from matplotlib.figure import Figure

    modes = figures.modes
    page = Figure(figsize=(1.4 * len(FIGURES) + 1, 4), layout="constrained")
    axes = page.subplots()
    width = 0.8 / len(modes)
    places = np.arange(len(FIGURES))
    for index, mode in enumerate(modes):
        found = [mode.estimate(figure) for figure in FIGURES]
        # the percentile interval of a figure that is the same in every draw has no length
        errors = [[max(e.mean - e.low, 0) for e in found], [max(e.high - e.mean, 0) for e in found]]
        axes.bar(
            places + (index - (len(modes) - 1) / 2) * width,
            [estimate.mean for estimate in found],
            width,
            yerr=errors,
            capsize=2,
            label=f"{mode.mode} ({mode.queries} queries)",
            color=COLOURS[index % len(COLOURS)],
        )
    axes.set_xticks(places, [title(figure, figures.k) for figure in FIGURES])
    axes.set_ylim(0, 1.05)
    axes.set_ylabel(f"macro average by {figures.by}")
    axes.grid(axis="y", alpha=0.3)
    axes.set_axisbelow(True)
    page.legend(loc="outside upper center", ncols=len(modes), frameon=False)
    return png_of(page)


def classes_png(figures: RetrievalFigures) -> bytes:
    """Heat map of P@k, a row a class, a column a mode, as PNG bytes."""
    from matplotlib.figure import Figure

    labels = sorted({c.label for mode in figures.modes for c in mode.classes})
    grid = _precisions(figures.modes, labels)
    page = Figure(
        figsize=(1.1 * len(figures.modes) + 4, 0.32 * len(labels) + 1.4), layout="constrained"
    )
    axes = page.subplots()
    shown = axes.imshow(grid, vmin=0, vmax=1, cmap="viridis", aspect="auto")
    axes.set_xticks(range(len(figures.modes)), [mode.mode for mode in figures.modes])
    axes.set_yticks(range(len(labels)), labels)
    for row, column in np.argwhere(~np.isnan(grid)):
        value = grid[row, column]
        colour = "white" if value < _DARK else "black"
        axes.text(column, row, f"{value:.2f}", ha="center", va="center", color=colour, fontsize=8)
    page.colorbar(shown, ax=axes, label=f"P@{figures.k}")
    return png_of(page)


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
        (inside, BLUE, f"inside ({figures.inside})"),
        (outside, ORANGE, f"outside ({figures.outside})"),
    ):
        axes.hist(
            scores, bins=bins, weights=np.full(len(scores), 1 / len(scores)), alpha=0.6,
            color=colour, label=name,
        )  # fmt: skip
    if figures.stated is not None:
        axes.axvline(figures.stated.threshold, color=_THRESHOLD, linestyle="--", label="threshold")
    axes.set_xlabel(f"score, mode {figures.mode}")
    axes.set_ylabel("share of queries")
    axes.set_title(f"AUROC {figures.auroc}", fontsize=10)
    axes.legend(frameon=False)
    return png_of(page)


def leaving_out_png(figures: LeavingOutFigures) -> bytes:
    """A ROC curve for each kind of what was left out, and the threshold on it, as PNG bytes."""
    from matplotlib.figure import Figure

    page = Figure(figsize=(4.6, 4.4), layout="constrained")
    axes = page.subplots()
    inside = np.sort(figures.scores["inside"])
    alarms = np.append(np.arange(len(inside)), len(inside)) / len(inside)
    for row in figures.all:
        outside = np.sort(figures.scores[row.kind])
        # what is asked for in vain is to be told so: the share of it below each inside score
        told = np.append(np.searchsorted(outside, inside), len(outside)) / len(outside)
        label = f"{row.kind}: {row.auroc}"
        (line,) = axes.plot(alarms, told, drawstyle="steps-post", label=label)
        axes.plot(figures.false_alarm_rate.mean, row.detected.mean, "o", color=line.get_color())
    axes.axvline(figures.stated.false_alarm_rate, color=_THRESHOLD, linestyle="--", lw=1)
    axes.set_xlabel("false alarms (stated: dashed)")
    axes.set_ylabel("told: no close match")
    axes.set_title(f"{figures.asked}, {figures.inside} of what is there", fontsize=10)
    axes.legend(frameon=False, loc="lower right", fontsize=8)
    return png_of(page)


def _precisions(modes: Sequence[ModeFigures], labels: Sequence[str]) -> np.ndarray:
    """float64 [labels modes]; NaN where a mode was not asked for a label."""
    found = {(m.mode, c.label): c.precision for m in modes for c in m.classes}
    return np.array([[found.get((m.mode, label), np.nan) for m in modes] for label in labels])
