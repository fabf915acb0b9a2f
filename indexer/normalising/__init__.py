"""Another laboratory's colours and scale, moved to those that the starter knows.

One map of colours and one margin for all pictures of an archive.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from coin_retrieval.config import EncoderSettings, OpenClipEncoderSettings
from coin_retrieval.factory import parse_encoder
from coin_retrieval.named_settings import STARTER
from coin_retrieval.progress import Progress
from indexer.choices import Normalising
from indexer.normalising.sample import sampled
from indexer.normalising.trying import tried
from indexer.rows import SourceRows


def normalise(
    settings: EncoderSettings,
    rows: SourceRows,
    *,
    how: Normalising,
    own: EncoderSettings | None,
    on: Progress,
) -> tuple[EncoderSettings, SourceRows]:
    """The encoder's settings as these pictures are to be shown, and the rows with a note of it.

    Settings that say themselves how pictures are shown are left alone.

    Args:
        own: what the archive was built with: its way is kept, since another one would embed
            everything anew.

    Raises:
        InputError: colours are to be moved, and the pictures are of several sites, of one that the
            starter was not taught, or too few.
    """
    if how == "never" or settings != _free(settings, how):
        return settings, rows
    if own is not None and own != settings and _free(own, how) == settings:
        return own, rows
    if how == "stain":
        sample = sampled(rows)
        change = sample.stain_map()
        changed, note = settings.model_copy(update={"stain_map": change}), sample.note(change)
    elif own is None and rows.labelled and settings.model == parse_encoder(STARTER).model:
        changed, note = tried(settings, sampled(rows), on)
    else:
        return settings, rows
    return changed, replace(rows, notes=(*rows.notes, note)) if note else rows


def _free(settings: EncoderSettings, how: Normalising) -> EncoderSettings:
    """Without what is to be chosen."""
    chosen: dict[str, Any] = {"stain_map": None}
    if how == "auto" and isinstance(settings, OpenClipEncoderSettings):
        chosen["margin"] = 0.0
    return settings.model_copy(update=chosen)
