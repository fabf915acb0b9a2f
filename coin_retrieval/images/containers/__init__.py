"""Pictures where they lie: a file of their own, or a part of a slide, a DICOM, a tar or a table."""

from __future__ import annotations

from coin_retrieval.images.containers.base import Container, LazyPicture
from coin_retrieval.images.containers.opening import asked_picture, picture_at

__all__ = ["Container", "LazyPicture", "asked_picture", "picture_at"]
