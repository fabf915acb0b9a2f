"""Where a search looks: the site that a report names or implies, as a filter in the open.

Cells of different sites resemble each other, and the report mostly says where its cells come from:
high-grade urothelial cells look like HSIL, and the site separates them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from coin_retrieval.reports.lexicons import load_sites
from coin_retrieval.reports.reading import Reading
from coin_retrieval.reports.sites import sites_in
from coin_retrieval.reports.words import Span, tokenize
from coin_retrieval.search.query import Query

SITE = "site"
_UNSPECIFIED = frozenset(
    {"", "unspecified", "unknown", "not specified", "other", "n/a", "na", "none", "-"}
)


class How(StrEnum):
    """Why a site is searched."""

    NAMED = "named"
    IMPLIED = "implied"
    ASKED = "asked"


@dataclass(frozen=True, slots=True)
class SitePlan:
    """The site of a report, and what the archive has of it.

    ``values`` are the archive's own words for it, empty where it lacks the site; ``images`` how
    many pictures have them; ``unspecified`` and ``unspecified_images`` the same of pictures whose
    site nobody told, which ``with_unspecified`` searches too. ``applied`` tells whether only these
    are searched. ``phrase`` is what names or implies the site, ``None`` if the query asks for it.
    """

    name: str
    how: How
    phrase: Span | None
    values: tuple[str, ...]
    images: int
    unspecified: tuple[str, ...]
    unspecified_images: int
    applied: bool
    with_unspecified: bool

    @property
    def lacking(self) -> bool:
        """Whether the archive has other sites, and not this one."""
        return not self.values

    @property
    def searched(self) -> tuple[str, ...]:
        """The values of the filter; empty where none is applied."""
        if not self.applied:
            return ()
        return self.values + (self.unspecified if self.with_unspecified else ())


def plan_site(reading: Reading, query: Query, known: Mapping[str, int]) -> SitePlan | None:
    """The site to search, ``None`` where neither report nor query tells one.

    A named site comes before an implied one, what the query asks for before both. An archive that
    tells no picture's site lacks none.

    Args:
        known: the archive's values of the site field, and how many pictures have each.
    """
    unspecified = tuple(value for value in known if value.strip().casefold() in _UNSPECIFIED)
    told = [value for value in known if value not in unspecified]
    asked = query.where.get(SITE)
    named = reading.site or reading.implied_site
    if not told:
        return None
    how, phrase = How.ASKED, None
    if asked is not None:
        name = " or ".join(asked)
        values = tuple(value for value in asked if value in known)
    elif named is not None:
        name, phrase = named.name, named.span
        how = How.NAMED if reading.site else How.IMPLIED
        values = tuple(value for value in told if means(value, name))
    else:
        return None
    return SitePlan(
        name=name,
        how=how,
        phrase=phrase,
        values=values,
        images=sum(known[value] for value in values),
        unspecified=unspecified,
        unspecified_images=sum(known[value] for value in unspecified),
        applied=asked is not None or (bool(values) and not query.all_sites),
        with_unspecified=query.unspecified_sites and asked is None,
    )


def filter_of(query: Query, site: SitePlan | None) -> dict[str, Sequence[str]]:
    """The query's filter, the site's in it."""
    where: dict[str, Sequence[str]] = dict(query.where)
    if site is not None and site.applied and site.how is not How.ASKED:
        where[SITE] = site.searched
    return where


def means(value: str, site: str) -> bool:
    """Whether an archive's value names a site, a part of it, or what it is part of."""
    if value.casefold() == site.casefold():
        return True
    named = sites_in(tokenize(value))
    known = load_sites().sites
    return any(
        one == site or known[one].part_of == site or (site in known and known[site].part_of == one)
        for one in named
    )
