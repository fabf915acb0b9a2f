"""A recognised site as a filter that can be offered. Nothing applies it by itself."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from coin_retrieval.reports.sites import sites_in
from coin_retrieval.reports.words import tokenize
from coin_retrieval.types import Report


def suggest_where(
    report: Report, *, known: Iterable[str] | None = None
) -> Mapping[str, Sequence[str]]:
    """The filter on a report's site: ``{"site": […]}``, or ``{}`` if there is nothing to offer.

    Args:
        known: the values that an archive's site field has; those that mean the report's site are
            offered as they are written there. ``None`` offers the site's own name.
    """
    if not report.site:
        return {}
    if known is None:
        return {"site": [report.site]}
    values = [value for value in known if _means(value, report.site)]
    return {"site": values} if values else {}


def _means(value: str, site: str) -> bool:
    return value.casefold() == site.casefold() or sites_in(tokenize(value)) == {site}
