"""Thumbnails and pictures by content, wherever fsspec reaches: a folder, S3, and so on."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence, Set
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from typing import Any

import fsspec

from coin_retrieval.errors import ArchiveServerError
from coin_retrieval.files import replace_file

THUMBNAILS, PICTURES = "thumbnails", "pictures"
_AT_ONCE = 500


class ContentFiles:
    """Files of two kinds, each by the SHA-256 (hex) of the picture that it shows.

    A file is put in one step and never changed.
    """

    def __init__(self, url: str, options: Mapping[str, Any]) -> None:
        self._url = url
        with self._telling():
            self._system, self._root = fsspec.url_to_fs(url, **options)

    def has(self, kind: str, content_hash: str) -> bool:
        """Whether it is there."""
        with self._telling():
            return bool(self._system.exists(self._path(kind, content_hash)))

    def put(self, kind: str, content_hash: str, data: bytes) -> None:
        """Keep it."""
        path = self._path(kind, content_hash)
        with self._telling():
            self._system.makedirs(path.rpartition("/")[0], exist_ok=True)
            self._system.pipe_file(path, data)

    def get(self, kind: str, content_hash: str) -> bytes | None:
        """It; ``None`` where there is none."""
        with self._telling():
            try:
                data: bytes = self._system.cat_file(self._path(kind, content_hash))
            except FileNotFoundError:
                return None
            return data

    def fetch(self, kind: str, content_hash: str, target: Path) -> None:
        """Copy it to a local file, if it is there."""
        data = self.get(kind, content_hash)
        if data is not None:
            replace_file(target, data)

    def sweep(self, kept: Callable[[Sequence[str]], Set[str]]) -> None:
        """Delete those of all other contents."""
        with self._telling():
            for kind in (THUMBNAILS, PICTURES):
                paths = iter(self._system.find(f"{self._root}/{kind}"))
                while some := list(islice(paths, _AT_ONCE)):
                    named = {path: Path(path).stem for path in some}
                    keep = kept(list(named.values()))
                    if gone := [path for path, stem in named.items() if stem not in keep]:
                        self._system.rm(gone)

    def _path(self, kind: str, content_hash: str) -> str:
        suffix = ".jpg" if kind == THUMBNAILS else ".png"
        return f"{self._root}/{kind}/{content_hash[:2]}/{content_hash}{suffix}"

    @contextmanager
    def _telling(self) -> Iterator[None]:
        try:
            yield
        except FileNotFoundError:
            raise
        except Exception as error:  # each file system has errors of its own
            raise ArchiveServerError(
                f"the archive's files cannot be reached ({' '.join(str(error).split())[:200]})",
                value=self._url,
                expected="a folder or a bucket that may be read and written",
                remedy="start its server, or mend the address or the permissions",
            ) from error
