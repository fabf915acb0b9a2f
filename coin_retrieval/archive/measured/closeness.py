"""What an archive holds, for judging whether it can have anything close to a report."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict

from coin_retrieval.archive.measured.calibration import CloseMatch


class OwnReports(BaseModel):
    """The archive's own reports of one label: ``vectors`` are int8 rows [count 384] in base64."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    label: str
    count: int
    vectors: str


class TextCloseness(BaseModel):
    """By which known reports an archive is judged, and from which score on a report is close.

    ``known`` is the digest of the program's known reports: with others the threshold means nothing.
    ``entities`` are those of them that the archive holds, ``sites`` its sites. ``unworded`` are its
    labels that neither a known report nor one of its own describes: what a report of them scores is
    unknown. ``labelled`` is whether its pictures have labels at all; without, ``entities`` are
    those of its sites, and only what lies beyond them can be told. ``threshold`` is ``None`` where
    there was nothing to set it by.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    known: str
    entities: tuple[str, ...]
    sites: tuple[str, ...]
    unworded: tuple[str, ...] = ()
    labelled: bool = True
    own: tuple[OwnReports, ...] = ()
    threshold: CloseMatch | None = None
