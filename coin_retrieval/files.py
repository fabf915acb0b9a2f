"""Paths as people give them, and files that appear as a whole or not at all."""

from __future__ import annotations

import hashlib
import os
import secrets
from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import lru_cache
from pathlib import Path
from threading import get_ident
from types import TracebackType
from typing import Any, Self

from coin_retrieval.errors import InputError

_KEY_BYTES = 32
PARTIAL = ".partial"
"""The suffix of what is being written; a process that is killed may leave such a file."""


def read_yaml(path: Path) -> Any:
    """What a YAML file says; plain data only.

    Raises:
        OSError, UnicodeDecodeError, yaml.YAMLError: as they are.
    """
    # only where it is asked: a client of a server reads none
    import yaml

    # libyaml reads the wordings ten times as fast
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    return yaml.load(path.read_text(encoding="utf-8"), Loader=loader)  # noqa: S506


def as_path(value: str | os.PathLike[str]) -> Path:
    """A path as people give it.

    Raises:
        InputError: something else.
    """
    if isinstance(value, (str, os.PathLike)):
        return Path(value)
    raise InputError("not a path", value=type(value).__name__, expected="text or a pathlib.Path")


@contextmanager
def replacing(path: Path, *, flush: bool = False) -> Iterator[Path]:
    """Give a path beside ``path`` to write to; when the block ends it is renamed to ``path``.

    A reader sees the old file or the new one, and what fails leaves nothing. The folder is made.

    Args:
        flush: to the disk, so that a power cut cannot undo or empty what was reported as done.

    Raises:
        OSError: it cannot be written.
    """
    if not path.parent.is_dir():
        path.parent.mkdir(parents=True, exist_ok=True)
    aside = path.with_name(f"{path.name}.{os.getpid()}-{get_ident()}{PARTIAL}")
    try:
        yield aside
        if flush:
            flush_to_disk(aside)
        aside.replace(path)
    except BaseException:
        aside.unlink(missing_ok=True)
        raise
    if flush:
        flush_to_disk(path.parent)


def replace_file(path: Path, content: bytes | str, *, flush: bool = False) -> None:
    """Write ``path`` in one step (text as UTF-8); see :func:`replacing`."""
    with replacing(path, flush=flush) as aside:
        aside.write_bytes(content.encode() if isinstance(content, str) else content)


def flush_to_disk(path: Path) -> None:
    """Wait until a file, or a folder's list of names, has reached the disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def digest_file(path: Path) -> str:
    """SHA-256 (hex) of a file's bytes; remembered until its size or time of change differ."""
    stat = path.stat()
    return _digest(path.resolve(), stat.st_size, stat.st_mtime_ns)


@lru_cache(maxsize=4096)
def _digest(path: Path, _size: int, _mtime_ns: int) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def read_or_make_key(path: Path) -> bytes:
    """Random bytes for keyed hashes; made, for their owner only, where there are none.

    Raises:
        OSError: it cannot be read or made.
        ValueError: it is shorter than 32 bytes.
    """
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        aside = path.with_name(f"{path.name}.{os.getpid()}-{get_ident()}{PARTIAL}")
        try:
            aside.touch(0o600)
            aside.write_bytes(secrets.token_bytes(_KEY_BYTES))
            # whoever came first has made it, whole
            with suppress(FileExistsError):
                os.link(aside, path)
        finally:
            aside.unlink(missing_ok=True)
    key = path.read_bytes()
    if len(key) < _KEY_BYTES:
        raise ValueError(f"a key of {len(key)} bytes, not {_KEY_BYTES} or more")
    return key


class Closing(ABC):
    """Something that holds files or connections: ``with`` closes it."""

    __slots__ = ()

    @abstractmethod
    def close(self) -> None:
        """Release them."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()
