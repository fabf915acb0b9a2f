"""Stain normalisation of an archive: one map from its colours to those that the starter knows."""

from __future__ import annotations

from contextlib import nullcontext
from dataclasses import replace

from coin_retrieval.config import EncoderSettings
from coin_retrieval.containers import picture_at
from coin_retrieval.encoding.stains import colours_of, home_colours, stain_map
from coin_retrieval.errors import ImageError, InputError
from coin_retrieval.types import RgbImage
from indexer.rows import SourceRows

SAMPLE, LEAST = 300, 20


def normalise_stain(
    settings: EncoderSettings, rows: SourceRows
) -> tuple[EncoderSettings, SourceRows]:
    """The encoder's settings with a map for these pictures, and the rows with a note of it.

    A map that is there already is kept: another one would embed everything anew.

    Raises:
        InputError: pictures of several sites, of one that the starter was not taught, or too few.
    """
    if settings.stain_map is not None:
        return settings, rows
    known = home_colours()
    sites, pictures = _sampled(rows)
    if len(sites) != 1 or not sites <= known.keys():
        raise InputError(
            "one map of colours cannot serve these pictures",
            value=", ".join(sorted(sites)) or "no site",
            expected=f"pictures of one of the sites {', '.join(known)}",
            remedy="build an archive a site (--where site=…), or leave out --normalise-stain",
        )
    if len(pictures) < LEAST:
        raise InputError(
            "too few pictures to tell their laboratory's colours",
            value=len(pictures),
            expected=f"{LEAST} that can be read",
            remedy="leave out --normalise-stain",
        )
    (site,) = sites
    found = stain_map(colours_of(pictures), known[site])
    note = (
        f"colours are moved to those of {site} that the starter knows: densities of red, green, "
        f"blue × {', '.join(f'{v:.2f}' for v in found[:3])}, "
        f"then {', '.join(f'{v:+.2f}' for v in found[3:])} (of {len(pictures)} pictures)"
    )
    changed = settings.model_copy(update={"stain_map": found})
    return changed, replace(rows, notes=(*rows.notes, note))


def _sampled(rows: SourceRows) -> tuple[set[str], list[RgbImage]]:
    """All sites of the rows, and pictures from all over them."""
    every = max(1, len(rows) // SAMPLE)
    sites: set[str] = set()
    pictures: list[RgbImage] = []
    for number, source_row in enumerate(rows):
        row = source_row.row
        sites.add(row.site)
        if number % every or len(pictures) == SAMPLE or row.left_out:
            continue
        try:
            pictures.append(picture_at(row.image_path, row.part).decoded(nullcontext).image)
        except (ImageError, OSError):
            continue  # the build says which cannot be read
    return sites, pictures
