"""Cells of Arrow and Parquet files that hold pictures, as Hugging Face's `datasets` writes them.

A picture is a struct of its bytes and, or, of a path; which columns are pictures, and what classes
are called, stands in the schema's metadata under ``huggingface``.
"""

from __future__ import annotations

import json
import threading
from bisect import bisect_right
from collections.abc import Iterator, Mapping
from itertools import accumulate
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from coin_retrieval.errors import ImageError
from coin_retrieval.images.containers.base import Container, LazyPicture
from coin_retrieval.images.containers.parts import fields
from coin_retrieval.images.decoding import read_bytes

SUFFIXES = frozenset({".arrow", ".parquet"})
_METADATA = b"huggingface"
_ROWS_AT_ONCE = 64


class TableContainer(Container):
    """A table with pictures, opened.

    ``pictures`` are the columns that hold them, ``classes`` the names of the values of others.

    Raises:
        ImageError: no Arrow stream, Arrow file or Parquet file that can be read.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lock = threading.Lock()
        self._held: tuple[int, Any] = (-1, None)
        self._parquet: Any = None
        self._batches: list[Any] = []
        try:
            self._open()
        except (OSError, pa.ArrowException) as error:
            raise ImageError(
                f"{path.name} cannot be read as a table ({error})",
                expected="an Arrow or Parquet file",
                remedy="copy it again, or save the dataset again",
            ) from error
        self.pictures = picture_columns(self._schema)
        self.classes = _classes(self._schema)
        self._starts = list(accumulate(self._lengths, initial=0))

    def __len__(self) -> int:
        return int(self._starts[-1])

    def close(self) -> None:
        """Let go of the file."""
        self._batches = []
        self._parquet = None

    def rows(self) -> Iterator[Mapping[str, Any]]:
        """What each row says besides its pictures; values of classes by name.

        Raises:
            ImageError: the file is damaged.
        """
        named = [name for name in self._schema.names if name not in self.pictures]
        try:
            for batch in self._plain(named):
                for row in batch.to_pylist():
                    yield {name: self._class_name(name, value) for name, value in row.items()}
        except (OSError, pa.ArrowException) as error:
            raise ImageError(f"{self._path.name} is damaged ({error})") from error

    def picture(self, part: str) -> LazyPicture:
        """See :class:`Container`."""
        found = fields(part)
        row, column = found.get("row", ""), found.get("column", "")
        if not row.isdecimal() or int(row) >= len(self) or column not in self.pictures:
            raise ImageError("no such cell of the table", value=part)
        try:
            cell = self._cell(int(row), column)
        except (OSError, pa.ArrowException) as error:
            raise ImageError(f"row {row} of {self._path.name} cannot be read ({error})") from error
        if cell is None or not (cell.get("bytes") or cell.get("path")):
            raise ImageError("the row has no picture", value=part)
        data = cell["bytes"] or read_bytes(self._path.parent / cell["path"])
        return LazyPicture.of_file(data, name=f"row {row}")

    def _open(self) -> None:
        if self._path.suffix.lower() == ".parquet":
            self._parquet = pq.ParquetFile(self._path, memory_map=True)
            groups = self._parquet.metadata
            self._schema = self._parquet.schema_arrow
            self._lengths = [groups.row_group(n).num_rows for n in range(groups.num_row_groups)]
            return
        mapped = pa.memory_map(str(self._path))
        try:
            reader = pa.ipc.open_stream(mapped)
            self._batches = list(reader)
        except pa.ArrowInvalid:
            mapped.seek(0)
            reader = pa.ipc.open_file(mapped)
            self._batches = [reader.get_batch(n) for n in range(reader.num_record_batches)]
        self._schema = reader.schema
        self._lengths = [batch.num_rows for batch in self._batches]

    def _plain(self, columns: list[str]) -> Iterator[Any]:
        if self._parquet is not None:
            yield from self._parquet.iter_batches(_ROWS_AT_ONCE, columns=columns)
            return
        for batch in self._batches:
            for start in range(0, batch.num_rows, _ROWS_AT_ONCE):
                yield batch.slice(start, _ROWS_AT_ONCE).select(columns)

    def _cell(self, row: int, column: str) -> Any:
        number = bisect_right(self._starts, row) - 1
        within = row - self._starts[number]
        if self._parquet is None:
            return self._batches[number].column(column)[within].as_py()
        with self._lock:
            # rows are asked in order: one group of them is decoded once, and only one is held
            if self._held[0] != number:
                self._held = (-1, None)
                read = self._parquet.read_row_group(number, columns=list(self.pictures))
                self._held = (number, read)
            return self._held[1].column(column)[within].as_py()

    def _class_name(self, column: str, value: Any) -> Any:
        names = self.classes.get(column)
        known = names is not None and isinstance(value, int) and 0 <= value < len(names)
        return names[value] if names is not None and known else value


def picture_columns(schema: Any) -> tuple[str, ...]:
    """The columns of an Arrow schema that hold pictures."""
    found = []
    for field in schema:
        struct = pa.types.is_struct(field.type)
        names = {field.type.field(n).name for n in range(field.type.num_fields)} if struct else ()
        if "bytes" in names and "path" in names:
            found.append(field.name)
    features = _features(schema)
    # sounds have the same form
    others = {"Audio", "Video", "Pdf"}
    return tuple(n for n in found if features.get(n, {}).get("_type", "Image") not in others)


def _classes(schema: Any) -> dict[str, list[str]]:
    return {
        name: list(feature["names"])
        for name, feature in _features(schema).items()
        if feature.get("_type") == "ClassLabel" and feature.get("names")
    }


def _features(schema: Any) -> dict[str, dict[str, Any]]:
    """The features that `datasets` wrote into the schema, by column."""
    try:
        said = json.loads((schema.metadata or {})[_METADATA])
        found = said["info"]["features"]
    except (KeyError, TypeError, ValueError):
        return {}
    return {name: value for name, value in found.items() if isinstance(value, dict)}
