"""Changes to the catalog's tables, inside a transaction that the caller holds."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from itertools import islice
from typing import TypeVar

from sqlalchemy import delete, insert, select, update
from sqlalchemy.engine import Connection

from coin_retrieval.catalog.records import (
    case_record,
    case_values,
    image_record,
    image_terms,
    image_values,
)
from coin_retrieval.catalog.tables import CaseEntry, ImageEntry, ImageTermEntry, TermEntry
from coin_retrieval.errors import InputError
from coin_retrieval.types import CaseRecord, ImageRecord

T = TypeVar("T")

_CHUNK = 500
"""Values in one statement: SQLite before 3.32 takes 999 variables at most."""


def chunks(items: Iterable[T], size: int = _CHUNK) -> Iterator[list[T]]:
    """Lists of at most ``size`` items, so that a statement never has too many variables."""
    iterator = iter(items)
    while some := list(islice(iterator, size)):
        yield some


def put_cases(connection: Connection, cases: Mapping[str, CaseRecord]) -> None:
    """Insert or replace cases; their images stay."""
    for some in chunks(cases):
        query = select(CaseEntry.case_id).where(CaseEntry.case_id.in_(some))
        present = set(connection.scalars(query))
        for case_id in present:
            change = update(CaseEntry).where(CaseEntry.case_id == case_id)
            connection.execute(change.values(case_values(cases[case_id])))
        new = [case_values(cases[case_id]) for case_id in some if case_id not in present]
        if new:
            connection.execute(insert(CaseEntry), new)


def put_images(connection: Connection, images: Mapping[int, ImageRecord]) -> set[str]:
    """Insert or replace images; returns the cases that lost or gained one.

    Raises:
        InputError: an image of a case that is not there.
    """
    cases = {image.case_id for image in images.values()}
    present: set[str] = set()
    for some in chunks(cases):
        query = select(CaseEntry.case_id).where(CaseEntry.case_id.in_(some))
        present.update(connection.scalars(query))
    if orphans := sorted(cases - present):
        raise InputError(
            "images of cases that the catalog does not have",
            value=orphans[:5],
            expected="each image's case given with it, or before it",
        )
    delete_images(connection, images)
    for some_images in chunks(images.values()):
        connection.execute(insert(ImageEntry), [image_values(image) for image in some_images])
    return cases


def delete_images(connection: Connection, ids: Iterable[int]) -> int:
    """Remove images and their terms; returns how many were there."""
    removed = 0
    for some in chunks(ids):
        connection.execute(delete(ImageTermEntry).where(ImageTermEntry.image_id.in_(some)))
        result = connection.execute(delete(ImageEntry).where(ImageEntry.image_id.in_(some)))
        removed += result.rowcount
    return removed


def delete_unused(connection: Connection) -> None:
    """Remove cases without images and terms that no image has."""
    of_case = select(ImageEntry.image_id).where(ImageEntry.case_id == CaseEntry.case_id)
    connection.execute(delete(CaseEntry).where(~of_case.exists()))
    _delete_unused_terms(connection)


def index_terms(connection: Connection, case_ids: Iterable[str]) -> None:
    """Write anew what the images of these cases can be found by."""
    known: dict[tuple[str, str], int] = {}
    for some in chunks(sorted(case_ids)):
        cases = {
            row.case_id: case_record(row)
            for row in connection.execute(
                select(CaseEntry.__table__).where(CaseEntry.case_id.in_(some))
            )
        }
        images = [
            image_record(row)
            for row in connection.execute(
                select(ImageEntry.__table__).where(ImageEntry.case_id.in_(some))
            )
        ]
        for few in chunks(image.image_id for image in images):
            connection.execute(delete(ImageTermEntry).where(ImageTermEntry.image_id.in_(few)))
        pairs = [
            (image.image_id, term)
            for image in images
            for term in image_terms(cases[image.case_id], image).items()
        ]
        _number_terms(connection, {term for _, term in pairs}, known)
        rows = [{"term_id": known[term], "image_id": image_id} for image_id, term in pairs]
        if rows:
            connection.execute(insert(ImageTermEntry), rows)
    _delete_unused_terms(connection)


def _number_terms(
    connection: Connection, terms: set[tuple[str, str]], known: dict[tuple[str, str], int]
) -> None:
    """Fill ``known`` with the number of each term, making those that are new."""
    unknown = terms - known.keys()
    _look_up(connection, unknown, known)
    new = sorted(unknown - known.keys())
    if new:
        rows = [{"field": f, "value": v, "folded": v.casefold()} for f, v in new]
        connection.execute(insert(TermEntry), rows)
        _look_up(connection, set(new), known)


def _look_up(
    connection: Connection, terms: set[tuple[str, str]], known: dict[tuple[str, str], int]
) -> None:
    for field in {field for field, _ in terms}:
        query = select(TermEntry.value, TermEntry.term_id).where(TermEntry.field == field)
        for some in chunks(value for name, value in terms if name == field):
            for value, number in connection.execute(query.where(TermEntry.value.in_(some))):
                known[field, value] = number


def _delete_unused_terms(connection: Connection) -> None:
    of_term = select(ImageTermEntry.image_id).where(ImageTermEntry.term_id == TermEntry.term_id)
    connection.execute(delete(TermEntry).where(~of_term.exists()))
