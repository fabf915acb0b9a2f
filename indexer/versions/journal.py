"""Embedded batches on the disk, so that a build that is killed loses at most one of them.

One safetensors file a batch, in a folder of the encoder's own; each is written aside and renamed.
Pictures are known by content, so the next build may have other sources, in any order.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save

from coin_retrieval.archive.layout import ArchiveLayout
from coin_retrieval.files import replace_file
from coin_retrieval.types import Embeddings, EncoderSpec, content_digest

SizesPx = NDArray[np.int32]
"""int32 [n 2]: width and height of each picture."""

Embedding = NDArray[np.float32]
"""float32 [dim]."""

_TENSORS = ("content_hashes", "sizes_px", "embeddings")
_HASH_BYTES = 32
_ROWS = 2**32
"""More than a batch has: a place is one number."""


class _Batch(NamedTuple):
    hashes: list[str]
    sizes_px: SizesPx
    embeddings: Embeddings


class Journal:
    """The embedded batches of one encoder that are in no segment yet, by content.

    ``space`` is the digest of the encoder's identity.
    ``broken`` says how many files were thrown away that a power cut or another program spoilt.
    """

    def __init__(self, layout: ArchiveLayout, spec: EncoderSpec) -> None:
        self.dim = spec.dim
        self.space = content_digest(asdict(spec))
        self.folder = layout.work / self.space[:16]
        self._places: dict[bytes, int] = {}
        self._left: dict[int, int] = {}
        self.broken = 0
        self._next = 1
        for number in sorted(int(path.stem) for path in self._files()):
            batch = self._read(number)
            if batch is None:
                self._path(number).unlink()
                self.broken += 1
            else:
                self._note(number, batch.hashes)
            self._next = number + 1

    def __contains__(self, content_hash: str) -> bool:
        return bytes.fromhex(content_hash) in self._places

    def __iter__(self) -> Iterator[str]:
        return (digest.hex() for digest in self._places)

    def __len__(self) -> int:
        return len(self._places)

    def write(self, hashes: Sequence[str], sizes_px: SizesPx, embeddings: Embeddings) -> None:
        """Keep a batch: hashes in hex, int32 [n 2], float32 [n dim]."""
        digests = np.frombuffer(bytes.fromhex("".join(hashes)), np.uint8)
        tensors: dict[str, np.ndarray] = {
            "content_hashes": digests.reshape(-1, _HASH_BYTES),
            "sizes_px": np.ascontiguousarray(sizes_px),
            "embeddings": np.ascontiguousarray(embeddings),
        }
        metadata = {"space": self.space, "sha256": _digest(tensors)}
        number, self._next = self._next, self._next + 1
        replace_file(self._path(number), save(tensors, metadata=metadata), flush=True)
        self._note(number, hashes)

    def read(self, hashes: Iterable[str]) -> Iterator[tuple[str, tuple[int, int], Embedding]]:
        """Each of these that it holds, with its width and height and float32 [dim].

        A batch is read once for all that it has of them, and none is held.

        Raises:
            OSError: a file is not as it was written.
        """
        wanted: dict[int, list[tuple[int, str]]] = {}
        for content_hash in hashes:
            place = self._places.get(bytes.fromhex(content_hash))
            if place is not None:
                wanted.setdefault(place // _ROWS, []).append((place % _ROWS, content_hash))
        for number, rows in wanted.items():
            batch = self._read(number)
            if batch is None:
                path = str(self._path(number))
                raise OSError(None, "the journal has changed on the disk", path)
            for row, content_hash in rows:
                width_px, height_px = batch.sizes_px[row].tolist()
                yield content_hash, (width_px, height_px), batch.embeddings[row]

    def forget(self, hashes: Iterable[str]) -> None:
        """These are in a segment now; a batch of which all are is deleted."""
        for content_hash in hashes:
            place = self._places.pop(bytes.fromhex(content_hash), None)
            if place is not None:
                number = place // _ROWS
                self._left[number] -= 1
                if not self._left[number]:
                    del self._left[number]
                    self._path(number).unlink(missing_ok=True)

    def _note(self, number: int, hashes: Sequence[str]) -> None:
        new = 0
        for row, content_hash in enumerate(hashes):
            place = number * _ROWS + row
            new += self._places.setdefault(bytes.fromhex(content_hash), place) == place
        self._left[number] = new

    def _files(self) -> list[Path]:
        return [path for path in self.folder.glob("*.safetensors") if path.stem.isdigit()]

    def _path(self, number: int) -> Path:
        return self.folder / f"{number:08d}.safetensors"

    def _read(self, number: int) -> _Batch | None:
        """A batch; ``None`` for a file that is not as it was written."""
        try:
            with safe_open(self._path(number), framework="numpy") as file:
                metadata = file.metadata() or {}
                tensors = {name: file.get_tensor(name) for name in _TENSORS}
        except (SafetensorError, OSError):
            return None
        if metadata != {"space": self.space, "sha256": _digest(tensors)}:
            return None
        digests, sizes_px, embeddings = (tensors[name] for name in _TENSORS)
        if embeddings.shape != (len(digests), self.dim):
            return None
        return _Batch([row.tobytes().hex() for row in digests], sizes_px, embeddings)


def _digest(tensors: Mapping[str, np.ndarray]) -> str:
    """A power cut can leave a file whole in length with zeros inside."""
    digest = hashlib.sha256()
    for name in _TENSORS:
        digest.update(np.ascontiguousarray(tensors[name]).tobytes())
    return digest.hexdigest()
