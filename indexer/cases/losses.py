"""Nothing vanishes unsaid: what a build would lose stops it, until it is said to be meant."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence

from coin_retrieval.archive.manifest import SourceEntry
from coin_retrieval.catalog.base import Catalog
from coin_retrieval.catalog.writing import chunks
from coin_retrieval.errors import InputError

DROPPED_SHARE = 0.01
"""Cases that a build may drop unasked."""

_FEW = 10
"""So many unreadable rows stop no build while others of the source can be read."""


def refuse_losses(before: Catalog, still: Callable[[Iterable[str]], set[str]]) -> None:
    """Stop a build that would drop cases.

    Args:
        before: the version before.
        still: which of some cases the build has.

    Raises:
        InputError: it would lose more than :data:`DROPPED_SHARE` of them; says from which sources.
    """
    lost, total = 0, 0
    sources: Counter[str] = Counter()
    for some in chunks(before.case_ids()):
        total += len(some)
        gone = set(some) - still(some)
        lost += len(gone)
        for images in before.images_of(gone).values():
            sources.update({image.file.source for image in images})
    if lost <= DROPPED_SHARE * total:
        return
    named = ", ".join(
        f"{count:,} from {path or 'sources that an earlier program did not note'}"
        for path, count in sources.most_common(5)
    )
    raise InputError(
        "the build would drop cases that the archive holds",
        value=f"{lost:,} of {total:,} cases: {named}",
        expected=f"at most {DROPPED_SHARE:.0%}",
        remedy="name those sources too (or use coin-index add, which drops nothing); "
        "if they shall go, say so with --drop",
    )


def refuse_skips(
    sources: Sequence[SourceEntry], skipped: Mapping[int, int], *, max_skipped: float
) -> None:
    """Stop a build that could not read much of a source.

    Args:
        skipped: how many rows were, by the source's number.
        max_skipped: the share that may be.

    Raises:
        InputError: more of one were.
    """
    for number, source in enumerate(sources):
        count = skipped.get(number, 0)
        none_read = count == source.rows and len(sources) > 1
        if count > max_skipped * source.rows and (count > _FEW or none_read):
            raise InputError(
                "too many pictures of a source cannot be read",
                value=f"{count:,} of {source.rows:,} rows of {source.path}",
                expected=f"at most {max_skipped:.0%}",
                remedy="check that its folder or share is there; what could be read is not "
                f"embedded again. To go on without them: --max-skipped {count / source.rows:.2f}",
            )
