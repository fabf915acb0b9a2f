"""The catalog's tables, the same in SQLite and PostgreSQL.

Images are numbered by row, as they came. Filters go through ``terms``, an inverted index over the
fields of the case, the image and the manifest's further columns alike: each distinct value once,
with its case-folded form (SQL's own ``lower`` knows only ASCII in SQLite) and the rows that have it
(:mod:`coin_retrieval.catalog.postings`). A case is found through its own table. ``arrays`` holds
what is looked up by number: ids, contents and places of all rows; where a catalog lies in files,
it is empty and they lie beside it (:mod:`coin_retrieval.catalog.lookups`).
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import BigInteger, ForeignKey, Index
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from coin_retrieval.databases import COLUMN_TYPES

SCHEMA_VERSION = 3
"""Raised when a table changes; a catalog of a higher version is refused.

Those of versions 1 and 2 are read by :mod:`coin_retrieval.catalog.earlier`.
"""


class Base(DeclarativeBase):
    """A catalog's tables."""

    type_annotation_map = COLUMN_TYPES


class MetaEntry(Base):
    """Facts about the catalog itself, such as its schema version."""

    __tablename__ = "meta"
    key: Mapped[str] = mapped_column(primary_key=True)
    value: Mapped[str]


class CaseEntry(Base):
    """A case; ``codes`` is a list of (system, edition, code), ``folded`` the id as it is found."""

    __tablename__ = "cases"
    case_id: Mapped[str] = mapped_column(primary_key=True)
    folded: Mapped[str] = mapped_column(index=True)
    site: Mapped[str]
    specimen: Mapped[str]
    stain: Mapped[str]
    report: Mapped[str]
    codes: Mapped[list[Any]]
    patient_id: Mapped[str]


class SourceEntry(Base):
    """Where pictures were read from: a folder or a manifest."""

    __tablename__ = "sources"
    source_id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    path: Mapped[str]


class ImageEntry(Base):
    """An image of a case."""

    __tablename__ = "images"
    row: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    image_id: Mapped[int] = mapped_column(BigInteger)
    case_id: Mapped[str] = mapped_column(ForeignKey("cases.case_id"), index=True)
    uri: Mapped[str]
    content_hash: Mapped[str]
    width_px: Mapped[int]
    height_px: Mapped[int]
    diagnosis: Mapped[str]
    finding: Mapped[str]
    mpp_um: Mapped[float | None]
    origin: Mapped[str]
    attributes: Mapped[dict[str, Any]]
    slide_id: Mapped[str]
    source_id: Mapped[int] = mapped_column(ForeignKey("sources.source_id"))
    size_bytes: Mapped[int] = mapped_column(BigInteger)
    modified_ns: Mapped[int] = mapped_column(BigInteger)


class FieldEntry(Base):
    """A field and how many images have a value of it."""

    __tablename__ = "fields"
    field: Mapped[str] = mapped_column(primary_key=True)
    images: Mapped[int]


class TermEntry(Base):
    """A distinct value of a field; ``folded`` is how filters compare it, ``rows`` who has it."""

    __tablename__ = "terms"
    __table_args__ = (Index("ix_terms_field_folded", "field", "folded"),)
    term_id: Mapped[int] = mapped_column(primary_key=True)
    field: Mapped[str]
    value: Mapped[str]
    folded: Mapped[str]
    images: Mapped[int]
    rows: Mapped[bytes]


class ArrayEntry(Base):
    """Numbers of all rows, int64, and behind them the rows by ascending number, int32."""

    __tablename__ = "arrays"
    name: Mapped[str] = mapped_column(primary_key=True)
    data: Mapped[bytes]
