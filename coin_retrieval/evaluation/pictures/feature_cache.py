"""Features of pictures, kept by content: a training set is measured once, not once a question."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from coin_retrieval.errors import SettingsError
from coin_retrieval.files import replacing
from coin_retrieval.images.decoding import content_hash, read_bytes
from coin_retrieval.types import EncoderSpec, content_digest


@dataclass(frozen=True, slots=True)
class FeatureCache:
    """One file a picture, under the digest of the space and of the size it was brought to."""

    folder: Path

    @classmethod
    def of(cls, root: Path, spec: EncoderSpec, *, size_px: int | None) -> FeatureCache:
        """The cache of one space below ``root``."""
        key: dict[str, Any] = {"space": asdict(spec), "size_px": size_px}
        return cls(root / content_digest(key)[:16])

    def rows(
        self,
        paths: Sequence[Path],
        measure: Callable[[Sequence[Path]], NDArray[np.float32]],
    ) -> NDArray[np.float32]:
        """Features of these pictures [n dim]; ``measure`` is asked for those not here.

        Raises:
            ImageError: a picture that cannot be read.
            SettingsError: the cache cannot be written.
        """
        files = [self._file(path) for path in paths]
        kept = [_read(file) for file in files]
        lacking = [i for i, row in enumerate(kept) if row is None]
        if lacking:
            fresh = measure([paths[i] for i in lacking])
            for i, row in zip(lacking, fresh, strict=True):
                kept[i] = row
                _write(files[i], row)
        return np.stack([row for row in kept if row is not None])

    def _file(self, path: Path) -> Path:
        digest = content_hash(read_bytes(path))
        return self.folder / digest[:2] / f"{digest}.npy"


def _write(file: Path, row: NDArray[np.float32]) -> None:
    try:
        with replacing(file) as aside, aside.open("wb") as opened:
            np.save(opened, row, allow_pickle=False)
    except OSError as error:
        raise SettingsError(
            f"the feature cache cannot be written ({error.strerror})",
            value=str(file.parent),
            expected="a writable directory with room",
            remedy="set COIN_CACHE_DIR to another directory",
        ) from error


def _read(file: Path) -> NDArray[np.float32] | None:
    try:
        row: NDArray[np.float32] = np.load(file, allow_pickle=False)
    except (OSError, ValueError, EOFError):
        return None
    return row if row.ndim == 1 and np.isfinite(row).all() else None
