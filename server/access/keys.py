"""API keys: shown once, kept as hashes in one file that the server reads again when it changes.

A key is 32 random bytes, so a plain SHA-256 of it cannot be searched through: slow password hashes
are for secrets that people choose.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import os
import re
import secrets
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

from filelock import FileLock
from pydantic import BaseModel, ConfigDict, TypeAdapter, ValidationError

from coin_retrieval.errors import InputError, NotFoundError, SettingsError
from coin_retrieval.files import replace_file
from server.access.principals import Principal, Role

PREFIX = "coin"
_SECRET_BYTES = 32
_KEY = re.compile(rf"{PREFIX}_(?P<id>[0-9a-f]{{8}})_(?P<secret>[\w-]{{43}})", re.ASCII)
_NAME = re.compile(r"[\w.@-]{1,64}")


class ApiKey(BaseModel):
    """What is kept of a key: never the key itself."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    id: str
    name: str
    role: Role
    sha256: str
    created: datetime
    expires: datetime | None = None

    def holds(self, now: datetime) -> bool:
        """Whether it has not expired."""
        return self.expires is None or now < self.expires


_KEYS = TypeAdapter(list[ApiKey])


class KeyFile:
    """The keys of a server. Several processes may read it while one changes it."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._lock = threading.Lock()
        self._read_at: tuple[int, int] | None = None
        self._keys: dict[str, ApiKey] = {}

    def add(self, name: str, role: Role, *, days: int | None = None) -> str:
        """Make a key; it is returned here, and never again.

        Args:
            name: who uses it; keys of one name can be replaced one after the other.
            days: how long it holds; ``None`` for ever.

        Raises:
            InputError: no such name.
            SettingsError: the file cannot be read or written.
        """
        if not _NAME.fullmatch(name):
            raise InputError(
                "no name of a key",
                value=name,
                expected="up to 64 letters, digits and . _ @ -",
                remedy="name the person or the program that will use it",
            )
        now = datetime.now(UTC)
        secret = secrets.token_urlsafe(_SECRET_BYTES)
        with self._changing() as keys:
            key_id = secrets.token_hex(4)
            while any(key.id == key_id for key in keys):
                key_id = secrets.token_hex(4)
            keys.append(
                ApiKey(
                    id=key_id,
                    name=name,
                    role=role,
                    sha256=_hash(secret),
                    created=now,
                    expires=None if days is None else now + timedelta(days=days),
                )
            )
        return f"{PREFIX}_{key_id}_{secret}"

    def revoke(self, which: str) -> list[ApiKey]:
        """Delete the key of this id, or all keys of this name; a running server knows at once.

        Raises:
            NotFoundError: there is none.
            SettingsError: the file cannot be read or written.
        """
        with self._changing() as keys:
            gone = [key for key in keys if which in (key.id, key.name)]
            keys[:] = [key for key in keys if key not in gone]
        if not gone:
            raise NotFoundError(
                "no such key",
                value=which,
                expected="the id or the name of a key",
                remedy=f"coin-serve keys list --keys {self.path}",
            )
        return gone

    def all(self) -> list[ApiKey]:
        """Every key, oldest first.

        Raises:
            SettingsError: the file is not readable, or not a file of keys.
        """
        try:
            return _KEYS.validate_json(self.path.read_bytes())
        except FileNotFoundError:
            return []
        except OSError as error:
            raise self._unusable(str(error.strerror)) from error
        except ValidationError as error:
            raise self._unusable("not a file of keys") from error

    def principal(self, presented: str) -> Principal | None:
        """Whose key this is; ``None`` where it is none, was revoked, or has expired."""
        parts = _KEY.fullmatch(presented)
        key = self._known().get(parts["id"]) if parts else None
        if parts is None or key is None or not key.holds(datetime.now(UTC)):
            return None
        if not hmac.compare_digest(_hash(parts["secret"]), key.sha256):
            return None
        return Principal(f"key:{key.name}", key.role)

    def _known(self) -> dict[str, ApiKey]:
        with self._lock:
            try:
                stat = self.path.stat()
                seen = (stat.st_mtime_ns, stat.st_ino)
                if seen != self._read_at:
                    self._keys = {key.id: key for key in self.all()}
                    self._read_at = seen
            except (OSError, SettingsError):
                # a file that is gone or broken lets nobody in
                self._keys, self._read_at = {}, None
            return self._keys

    @contextmanager
    def _changing(self) -> Iterator[list[ApiKey]]:
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            with FileLock(self.path.with_name(f"{self.path.name}.lock")):
                keys = self.all()
                yield keys
                data = json.dumps(_KEYS.dump_python(keys, mode="json"), indent=1)
                mask = os.umask(0o077)
                try:
                    replace_file(self.path, data + "\n", flush=True)
                finally:
                    os.umask(mask)
        except OSError as error:
            raise self._unusable(str(error.strerror)) from error

    def _unusable(self, why: str) -> SettingsError:
        return SettingsError(
            f"the file of keys cannot be used ({why})",
            value=str(self.path),
            expected="a file that coin-serve keys has written",
            remedy="make keys with coin-serve keys add NAME --keys FILE",
        )


def _hash(secret: str) -> str:
    return hashlib.sha256(secret.encode("ascii")).hexdigest()
