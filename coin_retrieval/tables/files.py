"""Rows of table files as people have them: CSV in any common form, Excel, JSON lines, Parquet.

What cannot be meant is an error with its line: a quote that is never closed, more fields than
columns, a column that comes twice. What had to be guessed is told.
"""

from __future__ import annotations

import codecs
import csv
import json
import zlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

from coin_retrieval.errors import CaseTableError, MissingDependencyError

SUFFIXES = frozenset({".csv", ".tsv", ".xlsx", ".jsonl", ".parquet"})
_SEPARATORS = {",": "commas", ";": "semicolons", "\t": "tabs", "|": "bars"}
_FIELD_BYTES = 10_000_000
_CODINGS = {
    codecs.BOM_UTF8: "utf-8-sig",
    codecs.BOM_UTF16_LE: "utf-16",
    codecs.BOM_UTF16_BE: "utf-16",
}
_SPOILT_BOOK = (OSError, ValueError, SyntaxError, LookupError, EOFError, BadZipFile, zlib.error)
"""What openpyxl lets through: of the archive, of what is compressed in it, of its XML."""

Row = tuple[int, dict[str, str]]
"""The line of the file, and its values by column; empty where there is none."""


@dataclass(frozen=True, slots=True)
class TableForm:
    """How a file is read; ``notes`` say what had to be guessed."""

    coding: str = "utf-8"
    separator: str = ","
    notes: tuple[str, ...] = ()


def form_of(path: Path) -> TableForm:
    """The coding and the separator of a CSV file; for other files nothing need be known.

    Raises:
        CaseTableError: it cannot be read, or is no text.
    """
    if path.suffix.lower() not in (".csv", ".tsv"):
        return TableForm()
    coding, notes = "utf-8", []
    try:
        with path.open("rb") as file:
            head = file.read(4)
            file.seek(0)
            marked = next((name for bom, name in _CODINGS.items() if head.startswith(bom)), None)
            if marked is not None:
                coding = marked
                notes += ["read as UTF-16"] if marked == "utf-16" else []
            elif not _is_utf8(file):
                coding = "cp1252"
                notes.append("read as Windows-1252, as it is no UTF-8: check letters like ä or µ")
        with path.open(newline="", encoding=coding) as text:
            header = text.readline()
    except (OSError, UnicodeError) as error:
        raise _unreadable(path, error) from error
    separator = max(_SEPARATORS, key=header.count)
    if separator != "," and header.count(separator):
        notes.append(f"read as separated by {_SEPARATORS[separator]}")
    return TableForm(coding, separator if header.count(separator) else ",", tuple(notes))


def read_rows(path: Path, form: TableForm) -> Iterator[Row]:
    """All rows of a table, in order; of a workbook, of its first sheet.

    Raises:
        CaseTableError: it cannot be read as it is; the message names the line.
        MissingDependencyError: pyarrow or openpyxl is not installed.
    """
    suffix = path.suffix.lower()
    if suffix == ".parquet":
        return _parquet(path)
    if suffix == ".xlsx":
        return _xlsx(path)
    if suffix == ".jsonl":
        return _jsonl(path)
    return _csv(path, form)


def columns_of(path: Path, form: TableForm) -> tuple[str, ...]:
    """The columns of a table; of JSON lines those of the first, empty where there is none.

    Raises:
        CaseTableError, MissingDependencyError: see :func:`read_rows`.
    """
    if path.suffix.lower() == ".parquet":
        return tuple(_open_parquet(path).schema_arrow.names)
    if path.suffix.lower() in (".csv", ".tsv"):
        return tuple(name for name in _header(path, form) if name)
    return tuple(next(read_rows(path, form), (0, {}))[1])


def _header(path: Path, form: TableForm) -> list[str]:
    try:
        with path.open(newline="", encoding=form.coding) as file:
            return _checked(next(csv.reader(file, delimiter=form.separator), []), path)
    except (OSError, UnicodeError, csv.Error) as error:
        raise _unreadable(path, error) from error


def _csv(path: Path, form: TableForm) -> Iterator[Row]:
    csv.field_size_limit(_FIELD_BYTES)
    begun = 1
    try:
        with path.open(newline="", encoding=form.coding) as file:
            lines = csv.reader(file, delimiter=form.separator, strict=True)
            columns = _checked(next(lines, []), path)
            begun = lines.line_num + 1
            for values in lines:
                line, begun = begun, lines.line_num + 1
                if values:
                    yield line, _named(columns, values, path, line)
    except (OSError, UnicodeError) as error:
        raise _unreadable(path, error) from error
    except csv.Error as error:
        raise CaseTableError(
            f"{path}, line {begun}: a row cannot be read ({error})",
            expected='quotes in pairs; a quote inside a quoted field twice ("")',
            remedy="look for a quote that is never closed, in this line or below it",
        ) from error


def _xlsx(path: Path) -> Iterator[Row]:
    try:
        from openpyxl import load_workbook
        from openpyxl.utils.exceptions import InvalidFileException
    except ImportError as error:
        raise MissingDependencyError(
            "Excel needs openpyxl", remedy="pip install openpyxl"
        ) from error
    try:
        book = load_workbook(path, read_only=True, data_only=True)
    except (*_SPOILT_BOOK, InvalidFileException) as error:
        raise _unreadable(path, error) from error
    try:
        rows = book.worksheets[0].iter_rows(values_only=True)
        columns = _checked([_text(value) for value in next(rows, ())], path)
        for line, values in enumerate(rows, start=2):
            if any(value is not None for value in values):
                yield line, _named(columns, [_text(value) for value in values], path, line)
    except _SPOILT_BOOK as error:
        raise _unreadable(path, error) from error
    finally:
        book.close()


def _jsonl(path: Path) -> Iterator[Row]:
    try:
        with path.open(encoding="utf-8-sig") as file:
            for line, text in enumerate(file, start=1):
                if not text.strip():
                    continue
                try:
                    values = json.loads(text, object_pairs_hook=lambda pairs: pairs)
                except (ValueError, RecursionError) as error:
                    raise _bad_line(path, line, str(error)) from error
                if not isinstance(values, list) or not all(isinstance(v, tuple) for v in values):
                    raise _bad_line(path, line, "not an object")
                columns = _checked([name for name, _ in values], path, line)
                yield line, _named(columns, [_text(value) for _, value in values], path, line)
    except (OSError, UnicodeError) as error:
        raise _unreadable(path, error) from error


def _parquet(path: Path) -> Iterator[Row]:
    table = _open_parquet(path)
    line = 1
    try:
        for batch in table.iter_batches(batch_size=4096):
            for row in batch.to_pylist():
                line += 1
                yield line, {name: _text(value) for name, value in row.items()}
    except (OSError, ValueError, LookupError) as error:  # Arrow's own errors are of these kinds
        raise _unreadable(path, error) from error


def _open_parquet(path: Path) -> Any:
    try:
        import pyarrow as pa
        import pyarrow.parquet as pq
    except ImportError as error:
        raise MissingDependencyError(
            "Parquet needs pyarrow", remedy="pip install pyarrow"
        ) from error
    try:
        return pq.ParquetFile(path)
    except (OSError, pa.ArrowException) as error:
        raise CaseTableError(
            f"manifest cannot be read ({error})", value=str(path), expected="a Parquet file"
        ) from error


def _checked(columns: Sequence[str], path: Path, line: int = 1) -> list[str]:
    """Column names; none comes twice."""
    names = [name.strip() for name in columns]
    doubled = {name for name in names if name and names.count(name) > 1}
    if doubled:
        raise CaseTableError(
            f"{path}, line {line}: a column comes twice",
            value=sorted(doubled),
            expected="each column once",
            remedy="rename or delete one of them",
        )
    return names


def _named(columns: Sequence[str], values: Sequence[str], path: Path, line: int) -> dict[str, str]:
    further = [value for value in values[len(columns) :] if value.strip()]
    nameless = [v for name, v in zip(columns, values, strict=False) if not name and v.strip()]
    if further or nameless:
        raise CaseTableError(
            f"{path}, line {line}: more fields than columns",
            value=f"{len(values)} fields, the last: {(further or nameless)[-1][:40]}",
            expected=f"{len([name for name in columns if name])} fields",
            remedy="put a text that holds the separator into quotes, or name the column",
        )
    padded = [*values, *[""] * (len(columns) - len(values))]
    return {name: v.strip() for name, v in zip(columns, padded, strict=False) if name}


def _text(value: Any) -> str:
    if value is None:
        return ""
    # a workbook keeps every number as a decimal
    return (
        str(int(value)) if isinstance(value, float) and value.is_integer() else str(value).strip()
    )


def _is_utf8(file: Iterable[bytes]) -> bool:
    decoder = codecs.getincrementaldecoder("utf-8")()
    try:
        for block in file:
            decoder.decode(block)
        decoder.decode(b"", final=True)
    except UnicodeDecodeError:
        return False
    return True


def _bad_line(path: Path, line: int, problem: str) -> CaseTableError:
    return CaseTableError(
        f"{path}, line {line}: {problem}",
        expected='one JSON object a line, such as {"image_path": "a.png", "case_id": "c1"}',
    )


def _unreadable(path: Path, error: Exception) -> CaseTableError:
    return CaseTableError(
        f"manifest cannot be read ({error})",
        value=str(path),
        expected="a table in CSV, Excel (.xlsx), JSON lines or Parquet, with a header line",
        remedy="save the table as CSV UTF-8, or as Parquet",
    )
