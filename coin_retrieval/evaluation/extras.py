"""What the extra ``evaluate`` brings: a classifier, and plots."""

from __future__ import annotations

import io
from importlib import import_module
from typing import TYPE_CHECKING

from coin_retrieval.errors import MissingDependencyError

if TYPE_CHECKING:
    from matplotlib.figure import Figure

BLUE, ORANGE, GREEN, PURPLE = COLOURS = ("#0072B2", "#E69F00", "#009E73", "#CC79A7")
"""Okabe and Ito's palette: told apart by colour-blind readers too."""


def require_plots() -> None:
    """Say before the long work that plots cannot be drawn after it.

    Raises:
        MissingDependencyError: matplotlib is not installed.
    """
    require("matplotlib.figure", "plots (--no-plots leaves them out)")


def require_classifier() -> None:
    """Say before the long work that there is nothing to train.

    Raises:
        MissingDependencyError: scikit-learn is not installed.
    """
    require("sklearn", "a classifier")


def require(module: str, what: str, *, extra: str = "evaluate") -> None:
    """Import a package of an extra.

    Raises:
        MissingDependencyError: it is not installed.
    """
    try:
        import_module(module)
    except ImportError as error:
        raise MissingDependencyError(
            f"a package of the extra is missing ({error})",
            value=module,
            expected=f"it, for {what}",
            remedy=f"pip install 'coin-retrieval[{extra}]'",
        ) from error


def png_of(page: Figure) -> bytes:
    """A plot as PNG bytes."""
    buffer = io.BytesIO()
    page.savefig(buffer, format="png", dpi=150)
    return buffer.getvalue()
