"""Pictures and manifests in a bucket, as paths: what reads files reads them too."""

from __future__ import annotations

import errno
import io
import os
import stat
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path, PosixPath
from typing import IO, Any
from urllib.parse import quote

from coin_retrieval.errors import MissingDependencyError

SCHEMES = frozenset({"s3"})
"""Where files may lie besides this machine. Nothing else: catalogs name URLs, and are read."""


class UrlPath(PosixPath):
    """``s3://bucket/key`` as a path; read through fsspec.

    Whatever fails there is an ``OSError``, as of a file.
    """

    @property
    def url(self) -> str:
        """The URL, as people write it."""
        return f"{self.parts[0]}//{'/'.join(self.parts[1:])}"

    def __str__(self) -> str:
        """For people, and for whoever makes a path of it again."""
        # what is relative to another is only a part of one
        return self.url if self.parts and self.parts[0].endswith(":") else super().__str__()

    def as_uri(self) -> str:
        """The URL with what has a meaning in one quoted."""
        return f"{self.parts[0]}//{quote('/'.join(self.parts[1:]), errors='surrogateescape')}"

    def absolute(self) -> UrlPath:
        """It is."""
        return self

    def resolve(self, strict: bool = False) -> UrlPath:
        """There are no links."""
        del strict
        return self

    def stat(self, *, follow_symlinks: bool = True) -> os.stat_result:
        """Size and time of change; of an S3 object, its ETag stands for fractions of a second."""
        del follow_symlinks
        with self._telling() as system:
            info = system.info(self.url)
        changed = info.get("LastModified") or info.get("mtime") or 0
        seconds = int(changed.timestamp() if isinstance(changed, datetime) else changed)
        state_ns = seconds * 10**9 + zlib.crc32(str(info.get("ETag", "")).encode()) % 10**9
        mode = stat.S_IFDIR if info["type"] == "directory" else stat.S_IFREG
        size = int(info.get("size") or 0)
        return os.stat_result(
            (mode | 0o444, 0, 0, 1, 0, 0, size, seconds, seconds, seconds),
            {"st_mtime_ns": state_ns},
        )

    def open(  # type: ignore[override]
        self,
        mode: str = "r",
        buffering: int = -1,
        encoding: str | None = None,
        errors: str | None = None,
        newline: str | None = None,
    ) -> IO[Any]:
        """Its bytes, held in memory; it cannot be written."""
        del buffering
        if mode not in ("r", "rt", "rb"):
            raise OSError(errno.EROFS, os.strerror(errno.EROFS), self.url)
        data = io.BytesIO(self.read_bytes())
        return data if mode == "rb" else io.TextIOWrapper(data, encoding, errors, newline)

    def read_bytes(self) -> bytes:
        """All of it."""
        with self._telling() as system:
            data: bytes = system.cat_file(self.url)
        return data

    def walk_names(self) -> Iterator[tuple[str, list[str], list[str]]]:
        """Folders below it as ``os.walk`` gives them, as the bucket lists them now."""
        with self._telling() as system:
            system.invalidate_cache()
            for folder, below, names in system.walk(self.url, on_error="raise"):
                yield f"{self.parts[0]}/{folder.partition('://')[2] or folder}", below, names

    @contextmanager
    def _telling(self) -> Iterator[Any]:
        import fsspec

        scheme = self.parts[0].rstrip(":")
        try:
            yield fsspec.filesystem(scheme)
        except ImportError as error:
            raise MissingDependencyError(
                f"{scheme}:// cannot be read",
                value=self.url,
                remedy="pip install coin-retrieval[s3]",
            ) from error
        except FileNotFoundError as error:
            raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), self.url) from error
        except Exception as error:  # each file system has errors of its own
            said = " ".join(str(error).split())[:200] or type(error).__name__
            raise OSError(errno.EIO, said, self.url) from error


def located(path: Path) -> Path:
    """The path itself, or what it names behind a URL: ``Path("s3://bucket/key")`` is one."""
    first = path.parts[0] if path.parts else ""
    return UrlPath(path) if first.endswith(":") and first[:-1] in SCHEMES else path


def beside(table: Path, named: str) -> Path:
    """What a table names: a URL, or a file that is relative to it."""
    path = located(Path(named))
    return path if isinstance(path, UrlPath) else table.parent / path


def is_readable(path: Path) -> bool:
    """Whether there is a file, or an object, that may be read."""
    if not isinstance(path, UrlPath):
        return path.is_file() and os.access(path, os.R_OK)
    try:
        return stat.S_ISREG(path.stat().st_mode)
    except OSError:
        return False
