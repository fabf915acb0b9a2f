"""Drawn pictures, kept by what made them.

A generator promises no picture twice (its result varies with batch size and hardware), so what it
drew is stored under a hash of its provenance and never drawn again while the file is whole.

Reports may be of patients, so neither names nor files say what a picture was drawn from: they hold
hashes under a key that is made with the cache and lies in it.
"""

from __future__ import annotations

import hashlib
import hmac
import io
import json
import re
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from importlib.metadata import version
from pathlib import Path
from threading import Lock
from typing import Any

import numpy as np
from PIL import Image

from coin_retrieval.errors import CacheError, NotFoundError
from coin_retrieval.files import PARTIAL, read_or_make_key, replace_file
from coin_retrieval.images.decoding import load_image
from coin_retrieval.images.png import encode_png
from coin_retrieval.prototypes.prototype import Prototype
from coin_retrieval.prototypes.trimming import touch, trim
from coin_retrieval.types import (
    Embeddings,
    EncoderSpec,
    Provenance,
    RgbImage,
    Sample,
    content_digest,
)

SYNTHETIC_NOTICE = "Synthetic prototype drawn by a model. Not a patient's cells."
_PROTOTYPE_ID = re.compile(r"[0-9a-f]{64}")
_UNIT_TOLERANCE = 1e-3
_PROBE_BYTES = 64 * 1024
_KEPT = (".png", ".npy", PARTIAL)
_KEY = "key"


@dataclass(frozen=True, slots=True)
class Kept:
    """What a file of the cache says of itself; ``source`` is a keyed hash of what was drawn."""

    prototype_id: str
    generator: str
    weights: str
    source: str


class PrototypeCache:
    """Prototypes as PNG files named by hashes of their provenance, their embeddings beside them.

    Safe for several threads and processes: files appear whole or not at all.

    Args:
        max_bytes: beyond it, those go that were not used for longest; ``None`` keeps all.
    """

    def __init__(self, root: Path, *, max_bytes: int | None = None) -> None:
        self.root = root
        self._max_bytes = max_bytes
        self._lock = Lock()
        self._held: int | None = None
        self._key: bytes | None = None

    def get(self, provenance: Provenance) -> Prototype | None:
        """The prototype of this provenance; ``None`` if it is absent or its file is damaged."""
        key = self._known_key()
        if key is None:
            return None
        prototype_id = _keyed(key, provenance.digest)
        if self._read(prototype_id) is None:
            return None
        return Prototype(prototype_id, self._path(prototype_id), provenance)

    def has(self, provenance: Provenance) -> bool:
        """Whether it has a file of this provenance; :meth:`get` also tells whether it is whole."""
        key = self._known_key()
        return key is not None and self._path(_keyed(key, provenance.digest)).exists()

    def find(self, prototype_id: str) -> Path:
        """The file of the prototype with this id.

        Raises:
            NotFoundError: no such prototype, or its file is damaged.
        """
        if not _PROTOTYPE_ID.fullmatch(prototype_id) or self._read(prototype_id) is None:
            raise NotFoundError(
                "no such prototype",
                value=prototype_id,
                expected="the id of a prototype that a search or generate answered",
                remedy="generate it again",
            )
        return self._path(prototype_id)

    def __iter__(self) -> Iterator[Kept]:
        """Every whole prototype, by its id."""
        for path in sorted(self.root.glob("??/*.png")):
            told = self._read(path.stem)
            if told is not None:
                source = told["source"]["keyed_sha256"]
                yield Kept(path.stem, told["generator"], told["weights"], source)

    def require_writable(self) -> None:
        """Keep a few bytes for a moment, so that nothing is drawn in vain.

        Raises:
            CacheError: a new prototype could not be kept.
        """
        try:
            self.root.mkdir(parents=True, exist_ok=True)
            with tempfile.TemporaryFile(dir=self.root) as file:
                file.write(bytes(_PROBE_BYTES))
                file.flush()
        except OSError as error:
            raise _not_writable(self.root, str(error.strerror)) from error

    def clear(self) -> int:
        """Delete all prototypes and their embeddings, damaged ones too; returns how many pictures.

        Raises:
            CacheError: a file cannot be deleted.
        """
        pictures = 0
        try:
            for path in sorted(self.root.glob("??/*")):
                if path.suffix in _KEPT:
                    path.unlink(missing_ok=True)
                    pictures += path.suffix == ".png"
        except OSError as error:
            raise _not_writable(self.root, str(error.strerror)) from error
        return pictures

    def put(self, sample: Sample) -> Prototype:
        """Keep a drawn picture, marked synthetic in its metadata.

        Raises:
            CacheError: the cache directory cannot be written.
        """
        key = self._made_key()
        prototype_id = _keyed(key, sample.provenance.digest)
        path = self._path(prototype_id)
        for outdated in path.parent.glob(f"{prototype_id}.*.npy"):
            outdated.unlink(missing_ok=True)
        data = encode_png(sample.image, text=_metadata(prototype_id, sample.provenance, key))
        self._make_room(len(data))
        _write(path, data)
        return Prototype(prototype_id, path, sample.provenance)

    def embeddings(
        self,
        prototypes: Sequence[Prototype],
        spec: EncoderSpec,
        encode: Callable[[Sequence[RgbImage]], Embeddings],
    ) -> Embeddings:
        """Embeddings of prototypes, float32 [n dim]; ``encode`` is asked only for new ones.

        Raises:
            ImageError: a prototype's file has gone.
        """
        space = content_digest(asdict(spec))[:16]
        paths = [p.path.with_suffix(f".{space}.npy") for p in prototypes]
        rows = [_read_row(path, spec.dim) for path in paths]
        missing = [i for i, row in enumerate(rows) if row is None]
        if missing:
            fresh = encode([load_image(prototypes[i].path) for i in missing])
            for i, row in zip(missing, fresh, strict=True):
                rows[i] = row
                # kept to save time only: a cache that is full or read-only costs that, no more
                with suppress(CacheError):
                    _write(paths[i], _npy(row))
        return np.stack([row for row in rows if row is not None])

    def _make_room(self, size: int) -> None:
        if self._max_bytes is None:
            return
        with self._lock:
            if self._held is None or self._held + size > self._max_bytes:
                self._held = trim(self.root, self._max_bytes - size)
            self._held += size

    def _path(self, prototype_id: str) -> Path:
        return self.root / prototype_id[:2] / f"{prototype_id}.png"

    def _known_key(self) -> bytes | None:
        """The key; ``None`` while nothing was kept here, or where it cannot be read."""
        if self._key is None and (self.root / _KEY).exists():
            with suppress(CacheError):
                return self._made_key()
        return self._key

    def _made_key(self) -> bytes:
        if self._key is None:
            try:
                self._key = read_or_make_key(self.root / _KEY)
            except OSError as error:
                raise _not_writable(self.root, str(error.strerror)) from error
            except ValueError as error:
                raise _not_writable(self.root, str(error)) from error
        return self._key

    def _read(self, prototype_id: str) -> dict[str, Any] | None:
        """What the file of this id says of how it was drawn, if its checksums hold and the id is
        its own (no pixel is decoded).

        What older programs wrote is as good as absent.
        """
        path = self._path(prototype_id)
        try:
            with Image.open(io.BytesIO(path.read_bytes()), formats=["PNG"]) as image:
                own, text = image.info["prototype"], image.info["provenance"]
                image.verify()
            told: dict[str, Any] = json.loads(text)
        except (OSError, SyntaxError, ValueError, LookupError, EOFError):
            return None
        if own != prototype_id:
            return None
        touch(path)
        return told


def encode_synthetic(image: RgbImage) -> bytes:
    """A PNG that says it is synthetic, of a picture that no cache keeps."""
    return encode_png(image, text={"synthetic": "true", "Description": SYNTHETIC_NOTICE})


def _keyed(key: bytes, text: str) -> str:
    return hmac.new(key, text.encode(), hashlib.sha256).hexdigest()


def _metadata(prototype_id: str, provenance: Provenance, key: bytes) -> dict[str, str]:
    source = provenance.source
    told = provenance.as_dict()
    told["source"] = {
        "kind": source.kind,
        "keyed_sha256": _keyed(key, content_digest(told["source"])),
    }
    # what was cut off a report is report
    told["dropped_text"] = bool(provenance.dropped_text)
    return {
        "synthetic": "true",
        "Software": f"coin-retrieval {version('coin-retrieval')}",
        "Description": SYNTHETIC_NOTICE,
        "prototype": prototype_id,
        "provenance": json.dumps(told, sort_keys=True),
    }


def _read_row(path: Path, dim: int) -> np.ndarray | None:
    try:
        row = np.load(path, allow_pickle=False)
    except (OSError, ValueError, EOFError):
        return None
    whole = row.shape == (dim,) and row.dtype == np.float32
    return row if whole and abs(np.linalg.norm(row) - 1) < _UNIT_TOLERANCE else None


def _npy(row: np.ndarray) -> bytes:
    buffer = io.BytesIO()
    np.save(buffer, np.asarray(row, np.float32), allow_pickle=False)
    return buffer.getvalue()


def _write(path: Path, data: bytes) -> None:
    try:
        replace_file(path, data)
    except OSError as error:
        raise _not_writable(path.parent, str(error.strerror)) from error


def _not_writable(directory: Path, why: str) -> CacheError:
    return CacheError(
        f"the prototype cache cannot be written ({why})",
        value=str(directory),
        expected="a writable directory with room",
        remedy="set COIN_CACHE_DIR to another directory",
    )
