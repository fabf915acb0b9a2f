"""A study's tables, the same in SQLite and PostgreSQL: one study a database."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import ForeignKey, UniqueConstraint
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from coin_retrieval.databases import COLUMN_TYPES


class Base(DeclarativeBase):
    """A study's tables."""

    type_annotation_map = COLUMN_TYPES


class StudyEntry(Base):
    """What is studied; ``made`` tells how the study came about."""

    __tablename__ = "study"
    study_id: Mapped[int] = mapped_column(primary_key=True)
    schema_version: Mapped[int]
    kind: Mapped[str]
    title: Mapped[str]
    choices: Mapped[list[Any]]
    washout_days: Mapped[float]
    created_at: Mapped[datetime]
    made: Mapped[dict[str, Any]]


class PictureEntry(Base):
    """A blinded picture under a name that says nothing."""

    __tablename__ = "pictures"
    name: Mapped[str] = mapped_column(primary_key=True)
    data: Mapped[bytes]


class ItemEntry(Base):
    """A picture that is read; ``truth`` is one of the choices, ``help`` what retrieval shows."""

    __tablename__ = "items"
    item_id: Mapped[int] = mapped_column(primary_key=True)
    picture: Mapped[str] = mapped_column(ForeignKey("pictures.name"))
    truth: Mapped[str]
    finding: Mapped[str]
    in_archive: Mapped[int]
    drawn: Mapped[bool]
    source: Mapped[str]
    help: Mapped[list[Any]]


class ReaderEntry(Base):
    """A reader: a code, and the digest of the token in the reader's link."""

    __tablename__ = "readers"
    reader_id: Mapped[int] = mapped_column(primary_key=True)
    code: Mapped[str] = mapped_column(unique=True)
    token: Mapped[str] = mapped_column(unique=True)


class ReadingEntry(Base):
    """One reader's reading of one picture, planned when the study was made; answered once."""

    __tablename__ = "readings"
    __table_args__ = (UniqueConstraint("reader_id", "item_id", "aided"),)
    reading_id: Mapped[int] = mapped_column(primary_key=True)
    reader_id: Mapped[int] = mapped_column(ForeignKey("readers.reader_id"), index=True)
    item_id: Mapped[int] = mapped_column(ForeignKey("items.item_id"))
    period: Mapped[int]
    place: Mapped[int]
    aided: Mapped[bool]
    answers: Mapped[list[Any] | None]
    confidence: Mapped[int | None]
    took_ms: Mapped[int | None]
    answered_at: Mapped[datetime | None]
