"""What a study is made of, and what its readers see."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from coin_retrieval.study.kind import Kind

LEAST_CONFIDENCE, MOST_CONFIDENCE = 1, 5
MOST_ANSWERS = 3


class _Model(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class HelpCase(_Model):
    """A retrieved case, as a reader sees it."""

    picture: str
    diagnosis: str
    finding: str = ""


class Item(_Model):
    """A picture to be read; ``in_archive`` is how many pictures of its label the archive has."""

    picture: str
    truth: str
    finding: str
    in_archive: int
    drawn: bool = False
    source: str = Field(default="", description="for whoever made the study: never shown")
    help: tuple[HelpCase, ...] = ()


class StudyPlan(_Model):
    """A study before anybody has read."""

    kind: Kind
    title: str
    choices: tuple[str, ...]
    washout_days: float
    items: tuple[Item, ...]
    made: dict[str, Any]


class ReadingView(_Model):
    """The picture that a reader is to read now. Nothing in it tells truth, origin or case."""

    reading: int
    picture: str = Field(description="GET /v1/study/pictures/{picture}")
    aided: bool
    help: tuple[HelpCase, ...] = Field(description="empty where the reading is without retrieval")


class ResultView(_Model):
    """One picture after the study: what it was, and what was answered."""

    picture: str
    truth: str
    drawn: bool
    answers: tuple[str, ...]
    aided: bool


class ReaderView(_Model):
    """Where a reader stands."""

    title: str
    kind: Kind
    reader: str
    phase: Literal["reading", "washout", "done"]
    choices: tuple[str, ...]
    most_answers: int
    period: int
    done: int
    of: int
    opens_at: datetime | None = Field(default=None, description="when the washout ends")
    now: ReadingView | None = None
    results: tuple[ResultView, ...] = Field(
        default=(), description="after the last answer only: until then nothing is marked"
    )


class Answer(_Model):
    """A reader's answer; the first choice is the answer, the others come after it."""

    reading: int
    answers: tuple[str, ...] = Field(min_length=1, max_length=MOST_ANSWERS)
    confidence: int = Field(ge=LEAST_CONFIDENCE, le=MOST_CONFIDENCE)
    took_ms: int = Field(ge=0, le=24 * 3600 * 1000, description="while the picture was in view")


class Reading(_Model):
    """One answered reading, as it is exported."""

    reader: str
    item: int
    picture: str
    truth: str
    finding: str
    in_archive: int
    drawn: bool
    source: str
    period: int
    place: int
    aided: bool
    answers: tuple[str, ...]
    confidence: int
    took_ms: int
    answered_at: datetime


class Study(_Model):
    """A study as it is exported: its answered readings, and how many were planned."""

    kind: Kind
    title: str
    choices: tuple[str, ...]
    washout_days: float
    made: dict[str, Any]
    planned: int
    readings: tuple[Reading, ...]
