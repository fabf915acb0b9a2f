"""Questions with a picture that is made first: of a layout of nuclei, or translated.

What can be refused at once is, by the threads that search; the rest waits with those who draw.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress

import numpy as np

from coin_retrieval.errors import CacheError
from coin_retrieval.presenting.answer import SearchAnswer
from coin_retrieval.progress import Progress
from coin_retrieval.prototypes.cache import PrototypeCache
from coin_retrieval.prototypes.made import MadePicture
from coin_retrieval.prototypes.prototype import Prototype
from coin_retrieval.prototypes.shared import drawing_for
from coin_retrieval.search.query import Query
from coin_retrieval.search.result import SearchResult
from server.asking import Asking, caller_of, read_upload
from server.audit.events import of_search, tell
from server.wire.questions import LayoutQuery, PictureQuery
from server.wire.schemas import search_answer

Make = Callable[[Progress], MadePicture]
_ANY_PICTURE = np.zeros((8, 8, 3), np.uint8)
"""Stands for what is to be drawn, while the question is looked through."""


async def by_layout(asking: Asking, asked: LayoutQuery) -> SearchAnswer:
    """The answer of a layout: drawn, kept as prototypes are, searched with.

    Raises:
        UnsupportedError: this server draws no layouts.
        InputError: a layout that its model cannot draw.
    """
    query, retriever = asked.plain(), asking.retriever

    def begin() -> Make:
        layout = retriever.maker.layout(asked.source(), seed=query.seed)
        retriever.check(query, _ANY_PICTURE)
        return lambda on: retriever.maker.drawn(layout, seed=query.seed, on=on)

    return await _answer(asking, query, begin)


async def by_translation(asking: Asking, asked: PictureQuery) -> SearchAnswer:
    """The answer of a picture that is translated first; neither of the two is kept.

    Raises:
        UnsupportedError: this server translates nothing.
        ImageError: the picture cannot be used.
    """
    query, retriever = asked.plain(), asking.retriever

    def begin() -> Make:
        retriever.maker.need_translator()
        picture = read_upload(asked.image, asking.parts.limits)
        retriever.check(query, picture)
        return lambda on: retriever.maker.translated(picture, seed=query.seed, on=on)

    return await _answer(asking, query, begin)


async def _answer(asking: Asking, query: Query, begin: Callable[[], Make]) -> SearchAnswer:
    queues, limits, listener = asking.parts.queues, asking.parts.limits, asking.request
    make = await queues.search.run(listener, begin)

    def work(on: Progress) -> SearchAnswer:
        result = asking.retriever.search_made(query, make, on=on)
        return search_answer(result, _kept(result, asking.retriever.cache))

    with drawing_for(caller_of(asking.request)):
        answer = await queues.drawing.run_stoppable(listener, work, patience_s=limits.drawing_s)
    tell(asking.request.scope, of_search(answer))
    return answer


def _kept(result: SearchResult, cache: PrototypeCache) -> Prototype | None:
    """Where a drawing of a layout is kept; ``None`` of a translation, which shows a patient."""
    made = result.plan.made
    if made is None or made.how == "translated":
        return None
    # a cache that cannot be written costs the address alone: the answer has the picture then
    with suppress(CacheError):
        return cache.get(made.sample.provenance) or cache.put(made.sample)
    return None
