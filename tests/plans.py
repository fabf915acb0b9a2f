"""Plans of searches that nobody runs: what an answer or a sheet shows of one."""

from __future__ import annotations

from coin_retrieval.config import FusionSettings
from coin_retrieval.reports.plain import read_for_search
from coin_retrieval.reports.words import Span
from coin_retrieval.search.plan import ArchiveIdentity, SearchPlan, WordsPlan
from coin_retrieval.search.query import Query
from coin_retrieval.types import EncoderSpec, SearchMode


def plan_of(
    report: str, *, mode: SearchMode = SearchMode.TEXT, dropped_text: str = ""
) -> SearchPlan:
    return SearchPlan(
        query=Query(report=report),
        archive=ArchiveIdentity("000001", "a" * 64),
        encoder=EncoderSpec("tiny", "1", 8, "b" * 64, "c" * 64),
        mode=mode,
        specimens=(),
        specimen="",
        words=_words(report, mode, dropped_text),
        unlike=None,
        image=None,
        scale=None,
        variations=(),
        language=None,
        site=None,
        where={},
        fusion=FusionSettings(),
        calibrated=False,
        uncalibrated_because="the archive was not calibrated",
        closeness=None,
        notices=(),
    )


def _words(text: str, mode: SearchMode, dropped_text: str) -> WordsPlan:
    reading, words = read_for_search(text)
    return WordsPlan(
        report=reading.report,
        searched=words.text,
        kept=tuple(piece.span for piece in words.pieces),
        left_out=words.left_out,
        unread=(Span(0, len(dropped_text), dropped_text),) if dropped_text else (),
        mode=mode,
        drawing=None,
    )
