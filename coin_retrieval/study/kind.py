"""The two kinds of studies; apart from the models, so that the program's help loads none."""

from __future__ import annotations

from enum import StrEnum


class Kind(StrEnum):
    """What readers are asked."""

    REAL_OR_DRAWN = "real-or-drawn"
    """Whether a picture is of a patient or of a model."""
    DIAGNOSIS = "diagnosis"
    """Which diagnosis a picture shows, once without and once with retrieval."""
