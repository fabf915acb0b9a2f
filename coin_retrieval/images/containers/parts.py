"""Which part of a file is meant, as the fragment of its URI.

``xywh=0,0,512,512&size=256,256``: a region of a slide, in pixels of its finest level, and the size
at which it is read (the W3C's media fragments). ``frame=1``: a frame of a DICOM instance.
``member=a.png``: a member of a tar. ``row=0&column=image``: a cell of a table.
"""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import parse_qsl, quote, urlsplit

from coin_retrieval.errors import NotFoundError
from coin_retrieval.images.slides.base import Region


@dataclass(frozen=True, slots=True)
class Tile:
    """A region of a slide, read at a size."""

    region: Region
    width_px: int
    height_px: int

    def part(self) -> str:
        """The fragment that names it."""
        at = self.region
        where = f"{at.x_px},{at.y_px},{at.width_px},{at.height_px}"
        return f"xywh={where}&size={self.width_px},{self.height_px}"


def part_of(uri: str) -> str:
    """The fragment of a picture's URI; empty where the picture is the whole file."""
    return urlsplit(uri).fragment


def fields(part: str) -> dict[str, str]:
    """A fragment's names and values."""
    return dict(parse_qsl(part, keep_blank_values=True, errors="surrogateescape"))


def named(**values: str | int) -> str:
    """The fragment of these names and values."""
    quoted = {
        name: quote(str(value), safe="/,", errors="surrogateescape")
        for name, value in values.items()
    }
    return "&".join(f"{name}={value}" for name, value in quoted.items())


def tile_of(part: str) -> Tile | None:
    """The tile that a fragment names, if it names one.

    Raises:
        NotFoundError: it is written wrongly.
    """
    found = fields(part)
    if "xywh" not in found:
        return None
    try:
        x, y, width, height = (int(number) for number in found["xywh"].split(","))
        width_px, height_px = (int(number) for number in found["size"].split(","))
    except (KeyError, ValueError) as error:
        raise NotFoundError(
            "not a region of a slide", value=part, expected=Tile(Region(0, 0, 2, 2), 1, 1).part()
        ) from error
    return Tile(Region(x, y, width, height), width_px, height_px)
