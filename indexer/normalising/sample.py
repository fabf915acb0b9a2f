"""Pictures from all over an archive's sources, and what their colours are."""

from __future__ import annotations

from contextlib import nullcontext
from dataclasses import dataclass, field

from coin_retrieval.config import StainMap
from coin_retrieval.encoding.stains import colours_of, home_colours, stain_map
from coin_retrieval.errors import ImageError, InputError
from coin_retrieval.images.containers import picture_at
from coin_retrieval.images.resizing import thumbnail
from coin_retrieval.tables.cases import CaseRow
from coin_retrieval.types import RgbImage
from indexer.rows import SourceRows

SIZE, LEAST = 300, 20
SIDE_PX = 384
"""Of the longer side, at most: three times what the starter sees."""


@dataclass(frozen=True)
class Sample:
    """Pictures with their rows; ``sites`` are all that the sources have."""

    sites: set[str] = field(default_factory=set)
    rows: list[CaseRow] = field(default_factory=list)
    pictures: list[RgbImage] = field(default_factory=list)

    def stain_map(self) -> StainMap:
        """From these colours to those of the starter's training pictures of the site.

        Raises:
            InputError: several sites, one that the starter was not taught, or too few pictures.
        """
        known = home_colours()
        if len(self.sites) != 1 or not self.sites <= known.keys():
            raise InputError(
                "one map of colours cannot serve these pictures",
                value=", ".join(sorted(self.sites)) or "no site",
                expected=f"pictures of one of the sites {', '.join(known)}",
                remedy="build an archive a site (--where site=…), or leave out --normalise stain",
            )
        if len(self.pictures) < LEAST:
            raise InputError(
                "too few pictures to tell their laboratory's colours",
                value=len(self.pictures),
                expected=f"{LEAST} that can be read",
                remedy="leave out --normalise stain",
            )
        (site,) = self.sites
        return stain_map(colours_of(self.pictures), known[site])

    def note(self, change: StainMap) -> str:
        """What its :meth:`stain_map` does, for people."""
        gains, shifts = change[:3], change[3:]
        return (
            f"colours are moved to those of {', '.join(self.sites)} that the starter knows: "
            f"densities of red, green, blue × {', '.join(f'{gain:.2f}' for gain in gains)}, "
            f"then {', '.join(f'{shift:+.2f}' for shift in shifts)} "
            f"(of {len(self.pictures)} pictures)"
        )


def sampled(rows: SourceRows) -> Sample:
    """Every so many rows; pictures that cannot be read are left to the build to tell."""
    every = max(1, len(rows) // SIZE)
    sample = Sample()
    for number, source_row in enumerate(rows):
        row = source_row.row
        sample.sites.add(row.site)
        if number % every or len(sample.rows) == SIZE or row.left_out or row.origin != "real":
            continue
        try:
            image = picture_at(row.image_path, row.part).decoded(nullcontext).image
        except (ImageError, OSError):
            continue
        sample.rows.append(row)
        sample.pictures.append(thumbnail(image, SIDE_PX))
    return sample
