"""Folders of embeddings as clip-retrieval writes them: `img_emb/*.npy` beside `metadata/*.parquet`.

Rows of both stand in the same order (github.com/rom1504/clip-retrieval, "clip inference").
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from coin_retrieval.archive.manifest import SourceEntry
from coin_retrieval.archive.uris import absolute, to_path
from coin_retrieval.errors import EncoderMismatchError, InputError
from coin_retrieval.images.containers.parts import part_of
from coin_retrieval.tables.cases import CaseRow
from coin_retrieval.types import EncoderSpec
from indexer.sources.filling import filled
from indexer.sources.readable import readable

EMBEDDINGS, METADATA, SPACE = "img_emb", "metadata", "encoder.json"
_ROWS_AT_ONCE = 256


class ClipRetrievalSource:
    """The pictures that a folder of embeddings names, which still have to lie where it says.

    Args:
        columns: what metadata call a column, by our name for it.
    """

    def __init__(self, path: Path, columns: Mapping[str, str]) -> None:
        self._path = path
        self._ours = {called: name for name, called in columns.items()}

    @staticmethod
    def is_one(path: Path) -> bool:
        """Whether a folder is of this form."""
        return (path / EMBEDDINGS).is_dir() and (path / METADATA).is_dir()

    def rows(self) -> Iterator[CaseRow]:
        """See :class:`indexer.sources.Source`.

        Raises:
            InputError: the folder is not whole.
        """
        for row, _ in self.given():
            yield row

    def given(self) -> Iterator[tuple[CaseRow, NDArray[np.float32]]]:
        """Each row with its embedding, float32 [dim], as it was written.

        Raises:
            InputError: the folder is not whole.
        """
        vectors = sorted((self._path / EMBEDDINGS).glob("*.npy"))
        tables = sorted((self._path / METADATA).glob("*.parquet"))
        if len(vectors) != len(tables) or not vectors:
            raise self._broken(f"{len(vectors)} files of embeddings, {len(tables)} of metadata")
        for of_vectors, of_rows in zip(vectors, tables, strict=True):
            yield from self._pairs(of_vectors, of_rows)

    def check_space(self, spec: EncoderSpec) -> bool:
        """Whether the folder says that it is of this encoder; ``False`` where it says nothing.

        Raises:
            EncoderMismatchError: it says that it is of another.
        """
        try:
            said = json.loads((self._path / SPACE).read_text("utf-8"))
        except FileNotFoundError:
            return False
        except (OSError, ValueError) as error:
            raise self._broken(f"{SPACE}: {error}") from error
        if said != asdict(spec):
            raise EncoderMismatchError(
                "the embeddings are of another encoder",
                value=str(said.get("name") if isinstance(said, dict) else said),
                expected=str(spec),
                remedy="name the encoder that made them: --encoder",
            )
        return True

    def notes(self) -> tuple[str, ...]:
        """See :class:`indexer.sources.Source`."""
        return ()

    def entry(self, rows: int) -> SourceEntry:
        """See :class:`indexer.sources.Source`."""
        return SourceEntry(path=readable(str(absolute(self._path))), kind="folder", rows=rows)

    def _pairs(
        self, of_vectors: Path, of_rows: Path
    ) -> Iterator[tuple[CaseRow, NDArray[np.float32]]]:
        import pyarrow as pa
        import pyarrow.parquet as pq

        try:
            vectors = np.load(of_vectors, mmap_mode="r", allow_pickle=False)
            table = pq.ParquetFile(of_rows)
            if vectors.ndim != 2 or len(vectors) != table.metadata.num_rows:
                raise self._broken(
                    f"{of_vectors.name}: {vectors.shape}, {of_rows.name}: "
                    f"{table.metadata.num_rows} rows"
                )
            at = 0
            for batch in table.iter_batches(_ROWS_AT_ONCE):
                for said in batch.to_pylist():
                    yield self._row(said, at, of_rows), np.asarray(vectors[at], np.float32)
                    at += 1
        except (OSError, ValueError, EOFError, pa.ArrowException) as error:
            if isinstance(error, InputError):
                raise
            raise self._broken(str(error)) from error

    def _row(self, said: Mapping[str, Any], number: int, table: Path) -> CaseRow:
        named = {self._ours.get(name, name): value for name, value in said.items()}
        uri, place = named.pop("uri", None), named.pop("image_path", None)
        if not (uri or place):
            raise self._broken(f"row {number} of {table.name} has no image_path")
        # relative to the folder; an absolute path stays as it is
        path = to_path(uri) if uri else self._path / str(place)
        row = CaseRow(
            image_path=path,
            case_id=readable(str(place or path.stem)),
            part=part_of(uri) if uri else "",
        )
        named.setdefault("report", named.pop("caption", None))
        return filled(row, named)

    def _broken(self, what: str) -> InputError:
        return InputError(
            f"{self._path} is not a whole folder of embeddings",
            value=what,
            expected=f"{EMBEDDINGS}/*.npy and {METADATA}/*.parquet with a row for each other's",
            remedy="copy the folder again, or run the inference again",
        )
