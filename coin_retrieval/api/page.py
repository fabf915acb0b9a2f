"""HTML that a notebook shows: self-contained, every text escaped by the templates' engine."""

from __future__ import annotations

from base64 import b64encode
from functools import cache
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined

from coin_retrieval.images.jpeg import encode_jpeg
from coin_retrieval.images.resizing import thumbnail
from coin_retrieval.presenting import phrases
from coin_retrieval.types import RgbImage

SIDE_PX = 144
"""Small: a notebook keeps every picture that it shows."""


def data_uri(image: RgbImage) -> str:
    """A thumbnail as the address of itself."""
    return f"data:image/jpeg;base64,{b64encode(encode_jpeg(thumbnail(image, SIDE_PX))).decode()}"


def render(template: str, **content: Any) -> str:
    """A template of this room with its content."""
    return _environment().get_template(template).render(content)


@cache
def _environment() -> Environment:
    environment = Environment(
        loader=PackageLoader("coin_retrieval.api"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.globals["phrases"] = phrases
    environment.filters["percent"] = phrases.percent
    return environment
