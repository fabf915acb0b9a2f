"""Plots of retrieval figures, by matplotlib (the extra ``evaluate``)."""

from __future__ import annotations

import io
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from coin_retrieval.errors import MissingDependencyError
from coin_retrieval.evaluation.retrieval.figures import (
    FIGURES,
    ModeFigures,
    RetrievalFigures,
    title,
)

if TYPE_CHECKING:
    from matplotlib.figure import Figure

# Okabe and Ito's palette: told apart by colour-blind readers too
_COLOURS = ("#0072B2", "#E69F00", "#009E73", "#CC79A7")
_DPI = 150
_DARK = 0.6


def require_plots() -> None:
    """Say before the long work that plots cannot be drawn after it.

    Raises:
        MissingDependencyError: matplotlib is not installed.
    """
    try:
        import matplotlib.figure  # noqa: F401
    except ImportError as error:
        raise MissingDependencyError(
            f"plots need matplotlib ({error})",
            remedy="pip install 'coin-retrieval[evaluate]', or ask for no plots (--no-plots)",
        ) from error


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
            color=_COLOURS[index % len(_COLOURS)],
        )
    axes.set_xticks(places, [title(figure, figures.k) for figure in FIGURES])
    axes.set_ylim(0, 1.05)
    axes.set_ylabel(f"macro average by {figures.by}")
    axes.grid(axis="y", alpha=0.3)
    axes.set_axisbelow(True)
    page.legend(loc="outside upper center", ncols=len(modes), frameon=False)
    return _png(page)


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
    return _png(page)


def _precisions(modes: Sequence[ModeFigures], labels: Sequence[str]) -> np.ndarray:
    """float64 [labels modes]; NaN where a mode was not asked for a label."""
    found = {(m.mode, c.label): c.precision for m in modes for c in m.classes}
    return np.array([[found.get((m.mode, label), np.nan) for m in modes] for label in labels])


def _png(page: Figure) -> bytes:
    buffer = io.BytesIO()
    page.savefig(buffer, format="png", dpi=_DPI)
    return buffer.getvalue()
