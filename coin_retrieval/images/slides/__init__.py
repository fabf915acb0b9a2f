"""Whole slides: pictures too large to decode, read by region at any scale."""

from __future__ import annotations

from coin_retrieval.images.slides.base import Region, Slide
from coin_retrieval.images.slides.opening import is_slide, open_slide

__all__ = ["Region", "Slide", "is_slide", "open_slide"]
