"""Embedded batches on the disk, so that a build that is killed loses at most one of them.

One safetensors file a batch, in a folder of the encoder's own; each is written aside and renamed.
Pictures are known by content, so the next build may have other sources, in any order.
"""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path

import numpy as np
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save

from coin_retrieval.archive.layout import ArchiveLayout
from coin_retrieval.files import replace_file
from coin_retrieval.types import Embeddings, EncoderSpec, content_digest
from indexer.contents import EmbeddedContents, SizesPx

_TENSORS = ("content_hashes", "sizes_px", "embeddings")
_HASH_BYTES = 32


class Journal:
    """The embedded batches of one encoder that are in no published version yet."""

    def __init__(self, layout: ArchiveLayout, spec: EncoderSpec) -> None:
        self._work = layout.work
        self._space = content_digest(asdict(spec))
        self._folder = layout.work / self._space[:16]
        self._next = 1 + max((int(path.stem) for path in self._files()), default=0)

    def read_into(self, contents: EmbeddedContents) -> int:
        """Add all batches to ``contents``; returns how many broken files were thrown away."""
        broken = 0
        for path in sorted(self._files()):
            batch = self._read(path, contents.dim)
            if batch is None:
                path.unlink()
                broken += 1
            else:
                contents.add(*batch)
        return broken

    def write(self, hashes: Sequence[str], sizes_px: SizesPx, embeddings: Embeddings) -> None:
        """Keep a batch: hashes in hex, int32 [n 2], float32 [n dim]."""
        digests = np.frombuffer(bytes.fromhex("".join(hashes)), np.uint8)
        tensors: dict[str, np.ndarray] = {
            "content_hashes": digests.reshape(-1, _HASH_BYTES),
            "sizes_px": np.ascontiguousarray(sizes_px),
            "embeddings": np.ascontiguousarray(embeddings),
        }
        metadata = {"space": self._space, "sha256": _digest(tensors)}
        data = save(tensors, metadata=metadata)
        replace_file(self._folder / f"{self._next:08d}.safetensors", data, flush=True)
        self._next += 1

    def clear(self) -> None:
        """Forget everything, other encoders' batches too: a version has been published."""
        shutil.rmtree(self._work, ignore_errors=True)

    def _files(self) -> list[Path]:
        return [path for path in self._folder.glob("*.safetensors") if path.stem.isdigit()]

    def _read(self, path: Path, dim: int) -> tuple[list[str], SizesPx, Embeddings] | None:
        """A batch; ``None`` for a file that a power cut or another program spoilt."""
        try:
            with safe_open(path, framework="numpy") as file:
                metadata = file.metadata() or {}
                tensors = {name: file.get_tensor(name) for name in _TENSORS}
        except (SafetensorError, OSError):
            return None
        if metadata != {"space": self._space, "sha256": _digest(tensors)}:
            return None
        digests, sizes_px, embeddings = (tensors[name] for name in _TENSORS)
        if embeddings.shape != (len(digests), dim):
            return None
        return [row.tobytes().hex() for row in digests], sizes_px, embeddings


def _digest(tensors: Mapping[str, np.ndarray]) -> str:
    """A power cut can leave a file whole in length with zeros inside."""
    digest = hashlib.sha256()
    for name in _TENSORS:
        digest.update(np.ascontiguousarray(tensors[name]).tobytes())
    return digest.hexdigest()
