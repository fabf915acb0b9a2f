"""Tables that hold pictures themselves (Hugging Face `datasets`), one row a picture."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace

from coin_retrieval.images.containers.opening import container_at
from coin_retrieval.images.containers.parts import named
from coin_retrieval.images.containers.table import TableContainer
from coin_retrieval.tables.cases import CaseRow
from indexer.sources.filling import filled


def table_rows(row: CaseRow, columns: Mapping[str, str]) -> Iterator[CaseRow]:
    """One row a picture; a row of the table is a case, unless a column says which.

    Args:
        row: what is known of all of them; its ``image_path`` is the table.
        columns: what a column is called there, by our name for it.

    Raises:
        ImageError: the table cannot be read.
    """
    table = container_at(row.image_path, "row=0")
    assert isinstance(table, TableContainer)  # noqa: S101
    ours = {called: name for name, called in columns.items()}
    for number, said in enumerate(table.rows()):
        known = filled(
            replace(row, case_id=f"{row.case_id}/{number:06d}"),
            {ours.get(name, name): value for name, value in said.items()},
        )
        for column in table.pictures:
            yield replace(known, part=named(row=number, column=column))
