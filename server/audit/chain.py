"""An append-only log whose records are chained by keyed hashes.

Each line is a JSON object with its number, the hash of the record before, and its own HMAC-SHA256
over both: what is changed, left out or moved breaks the chain, and who has no key cannot mend it.
``HEAD`` holds the newest number and hash, so that records cut off at the end are missed too.
"""

from __future__ import annotations

import contextlib
import hashlib
import hmac
import json
import os
import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from coin_retrieval.errors import SettingsError
from coin_retrieval.files import Closing, flush_to_disk, read_or_make_key

FIRST_PREVIOUS = "0" * 64
_FILE_BYTES = 64 * 1024 * 1024
_HEAD = "HEAD"
_PATTERN = "audit-*.jsonl"


@dataclass(frozen=True, slots=True)
class Link:
    """A record's place in the chain."""

    number: int
    mac: str

    def line(self) -> bytes:
        """As ``HEAD`` has it: of one length, so that it is replaced in one write."""
        return f"{self.number:020d} {self.mac}\n".encode()


class AuditLog(Closing):
    """One process's chain of records. Safe for several threads.

    Args:
        folder: made if need be; one server writes to it at a time.
        key: at least 32 random bytes; see :func:`read_key`.
        keep_days: whole files of records older than this are deleted.
        file_bytes: a file that has grown so large is followed by a new one.

    Raises:
        SettingsError: the folder cannot be used, or another server writes to it.
    """

    def __init__(
        self, folder: Path, *, key: bytes, keep_days: int, file_bytes: int = _FILE_BYTES
    ) -> None:
        self.folder = folder
        self._key, self._keep, self._file_bytes = key, timedelta(days=keep_days), file_bytes
        self._mutex = threading.Lock()
        try:
            folder.mkdir(parents=True, exist_ok=True)
            self._lock = FileLock(folder / "lock", blocking=False, thread_local=False)
            self._lock.acquire()
            self._last, torn = self._resume()
        except Timeout as error:
            raise _unusable(folder, "another server writes there") from error
        except OSError as error:
            raise _unusable(folder, str(error.strerror)) from error
        if torn:
            self.append({"what": "resumed after a record that was cut off", "torn_bytes": torn})

    def append(self, record: Mapping[str, Any]) -> None:
        """Add a record; it is in the file, though not yet on the disk, when this returns.

        Raises:
            OSError: it could not be written; nothing was added.
        """
        with self._mutex:
            self._append(record)
            if os.fstat(self._file).st_size >= self._file_bytes:
                self._turn_over()

    def digest(self, text: str) -> str:
        """A keyed hash of private text: equal texts are seen to be equal, and nothing else."""
        return hmac.new(self._key, b"query\0" + text.encode(), hashlib.sha256).hexdigest()

    def flush(self) -> None:
        """Have the records reach the disk."""
        with self._mutex:
            os.fsync(self._file)
            os.fsync(self._head)

    def close(self) -> None:
        """Flush, and let another server write."""
        self.flush()
        with self._mutex:
            os.close(self._file)
            os.close(self._head)
        self._lock.release()

    def _append(self, record: Mapping[str, Any]) -> None:
        number = self._last.number + 1
        at = datetime.now(UTC).isoformat(timespec="milliseconds")
        body = {"n": number, "at": at, "prev": self._last.mac, **record}
        mac = mac_of(self._key, body)
        line = json.dumps({**body, "mac": mac}, ensure_ascii=True).encode() + b"\n"
        end = os.fstat(self._file).st_size
        try:
            written = os.write(self._file, line)
            if written != len(line):
                raise OSError(28, os.strerror(28))
        except OSError:
            with contextlib.suppress(OSError):
                os.ftruncate(self._file, end)
            raise
        self._last = Link(number, mac)
        os.pwrite(self._head, self._last.line(), 0)

    def _resume(self) -> tuple[Link, int]:
        """The end of the chain, and how many bytes of a cut-off record were set aside."""
        self._head = os.open(self.folder / _HEAD, os.O_RDWR | os.O_CREAT, 0o600)
        files = audit_files(self.folder)
        path = files[-1] if files else self.folder / _name(1)
        self._file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o600)
        torn = _set_torn_aside(path, self._file)
        last = _last_of(path)
        if last is None and len(files) > 1:
            # a file that was begun when the process was killed
            last = _last_of(files[-2])
        if last is None:
            last = Link(0, FIRST_PREVIOUS)
        return last, torn

    def _turn_over(self) -> None:
        """Begin a new file, and forget the oldest that nobody has to keep."""
        os.fsync(self._file)
        os.close(self._file)
        path = self.folder / _name(self._last.number + 1)
        self._file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o600)
        flush_to_disk(self.folder)
        oldest_kept = datetime.now(UTC) - self._keep
        outdated: list[Path] = []
        for old in audit_files(self.folder)[:-1]:
            if datetime.fromtimestamp(old.stat().st_mtime, UTC) >= oldest_kept:
                break
            outdated.append(old)
        last = _last_of(outdated[-1]) if outdated else None
        if last is not None:
            # written first: a chain that begins late is whole only where it says so
            self._append({"what": "forgot", "up_to": last.number, "up_to_mac": last.mac})
        for old in outdated:
            old.unlink()


def read_key(path: Path) -> bytes:
    """The key of an audit log; made, for its owner only, where there is none.

    Raises:
        SettingsError: it cannot be read or made, or is too short.
    """
    try:
        return read_or_make_key(path)
    except OSError as error:
        raise _unusable(path, str(error.strerror)) from error
    except ValueError as error:
        raise _unusable(path, str(error)) from error


def mac_of(key: bytes, body: Mapping[str, Any]) -> str:
    """The HMAC-SHA256 of a record without its own, in hexadecimal digits."""
    text = json.dumps(body, sort_keys=True, ensure_ascii=True, separators=(",", ":"))
    return hmac.new(key, text.encode(), hashlib.sha256).hexdigest()


def audit_files(folder: Path) -> list[Path]:
    """The files of a log, oldest first."""
    return sorted(folder.glob(_PATTERN))


def records(path: Path) -> Iterator[dict[str, Any]]:
    """The records of one file, as far as its lines are whole.

    Raises:
        ValueError: a line is no record.
    """
    with path.open("rb") as lines:
        for line in lines:
            if line.endswith(b"\n"):
                found = json.loads(line)
                if not isinstance(found, dict):
                    raise ValueError("not a record")
                yield found


def head_of(folder: Path) -> Link | None:
    """What ``HEAD`` says the newest record is."""
    try:
        number, mac = (folder / _HEAD).read_text(encoding="ascii").split()
        return Link(int(number), mac)
    except (OSError, ValueError):
        return None


def _set_torn_aside(path: Path, descriptor: int) -> int:
    data = path.read_bytes()
    whole = data.rfind(b"\n") + 1
    torn = len(data) - whole
    if torn:
        path.with_name(f"torn-{path.stem}-{whole}").write_bytes(data[whole:])
        os.ftruncate(descriptor, whole)
    return torn


def _last_of(path: Path) -> Link | None:
    last = None
    with contextlib.suppress(ValueError, KeyError):
        for record in records(path):
            last = Link(record["n"], record["mac"])
    return last


def _name(number: int) -> str:
    return f"audit-{number:012d}.jsonl"


def _unusable(path: Path, why: str) -> SettingsError:
    return SettingsError(
        f"the audit log cannot be used ({why})",
        value=str(path),
        expected="a folder, or a key, of this server alone",
        remedy="name another with --audit, or mend its permissions",
    )
