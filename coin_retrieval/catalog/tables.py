"""The catalog's tables, the same in SQLite and PostgreSQL.

Filters go through ``terms`` and ``image_terms``, an inverted index over the fields of the case,
the image and the manifest's further columns alike: each distinct value once, with its case-folded
form (SQL's own ``lower`` knows only ASCII in SQLite), and which images have it.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import JSON, BigInteger, ForeignKey, Index, Text, UniqueConstraint
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

SCHEMA_VERSION = 2
"""Raised when a table changes; a catalog of a higher version is refused."""

ADDED = {"cases": "patient_id", "images": "slide_id"}
"""Columns that came with version 2: in catalogs of version 1 they are read as empty."""


class Base(DeclarativeBase):
    """Column types for the annotations used below."""

    type_annotation_map = {str: Text, dict[str, str]: JSON, list[Any]: JSON}  # noqa: RUF012


class MetaEntry(Base):
    """Facts about the catalog itself, such as its schema version."""

    __tablename__ = "meta"
    key: Mapped[str] = mapped_column(primary_key=True)
    value: Mapped[str]


class CaseEntry(Base):
    """A case; ``codes`` is a list of (system, edition, code)."""

    __tablename__ = "cases"
    case_id: Mapped[str] = mapped_column(primary_key=True)
    site: Mapped[str]
    specimen: Mapped[str]
    stain: Mapped[str]
    report: Mapped[str]
    codes: Mapped[list[Any]]
    patient_id: Mapped[str] = mapped_column(server_default="")


class ImageEntry(Base):
    """An image of a case."""

    __tablename__ = "images"
    image_id: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    case_id: Mapped[str] = mapped_column(ForeignKey("cases.case_id"), index=True)
    uri: Mapped[str]
    content_hash: Mapped[str] = mapped_column(index=True)
    width_px: Mapped[int]
    height_px: Mapped[int]
    diagnosis: Mapped[str]
    finding: Mapped[str]
    mpp_um: Mapped[float | None]
    origin: Mapped[str]
    attributes: Mapped[dict[str, str]]
    slide_id: Mapped[str] = mapped_column(server_default="")


class TermEntry(Base):
    """A distinct value of a field; ``folded`` is how filters compare it."""

    __tablename__ = "terms"
    __table_args__ = (
        UniqueConstraint("field", "value"),
        Index("ix_terms_field_folded", "field", "folded"),
    )
    term_id: Mapped[int] = mapped_column(primary_key=True)
    field: Mapped[str]
    value: Mapped[str]
    folded: Mapped[str]


class ImageTermEntry(Base):
    """An image has a term."""

    __tablename__ = "image_terms"
    __table_args__ = ({"sqlite_with_rowid": False},)
    term_id: Mapped[int] = mapped_column(ForeignKey("terms.term_id"), primary_key=True)
    image_id: Mapped[int] = mapped_column(
        BigInteger, ForeignKey("images.image_id"), primary_key=True, index=True
    )
