"""Members of tar files, read where they stand; those of a cut off or broken tar as far as it goes.

A compressed tar is unpacked into a temporary file while it is open.
"""

from __future__ import annotations

import os
import tarfile
import tempfile
import weakref
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from coin_retrieval.errors import ImageError
from coin_retrieval.images.containers.base import Container, LazyPicture
from coin_retrieval.images.containers.parts import fields
from coin_retrieval.images.decoding import MAX_BYTES

SUFFIXES = (".tar", ".tar.gz", ".tgz")
_GZIP = 31
_CHUNK = 1 << 16
_END = bytes(tarfile.BLOCKSIZE)


@dataclass(frozen=True, slots=True)
class Member:
    """A file in a tar: its name, where its bytes begin, and how many they are."""

    name: str
    offset: int
    size_bytes: int


class TarContainer(Container):
    """A tar, opened.

    ``members`` are its regular files, in their order. ``fault`` says where it could be read no
    further; ``odd`` counts members that are no files (links, devices).

    Raises:
        ImageError: it cannot be opened.
    """

    def __init__(self, path: Path) -> None:
        self._name = path.name
        self.fault = ""
        self.odd = 0
        try:
            self._file = self._unpacked(path)
        except OSError as error:
            raise ImageError(
                f"the tar cannot be read ({error.strerror or error})", value=str(path)
            ) from error
        self._closing = weakref.finalize(self, self._file.close)
        self._end = os.fstat(self._file.fileno()).st_size
        # of members of one name the last is meant, as with tar itself
        self._members: dict[str, Member] = {}
        self.members = tuple(self._read())

    def close(self) -> None:
        """Let go of the file."""
        self._closing()

    def picture(self, part: str) -> LazyPicture:
        """See :class:`Container`."""
        name = fields(part).get("member", "")
        member = self._members.get(name)
        if member is None:
            raise ImageError("no such member of the tar", value=f"{name} in {self._name}")
        return LazyPicture.of_file(self.read(member), name=name)

    def read(self, member: Member) -> bytes:
        """A member's bytes.

        Raises:
            ImageError: it is too large, or the tar ends within it.
        """
        if member.size_bytes > MAX_BYTES:
            raise ImageError(
                "too large a member",
                value=f"{member.size_bytes} bytes",
                expected=f"at most {MAX_BYTES}",
            )
        try:
            data = os.pread(self._file.fileno(), member.size_bytes, member.offset)
        except OSError as error:
            raise ImageError(f"{member.name} cannot be read ({error.strerror})") from error
        if len(data) < member.size_bytes:
            raise ImageError(
                "the tar is cut off within this member",
                value=f"{len(data)} bytes",
                expected=f"{member.size_bytes} bytes",
                remedy="copy the tar again",
            )
        return data

    def _read(self) -> Iterator[Member]:
        last = ""
        try:
            with tarfile.open(fileobj=self._file, mode="r:") as tar:
                for info in tar:
                    last = info.name
                    if not info.isreg():
                        self.odd += not info.isdir()
                        continue
                    member = Member(info.name, info.offset_data, info.size)
                    self._members[info.name] = member
                    yield member
                at = tar.offset
        except (tarfile.TarError, OSError, ValueError, EOFError) as error:
            self._blame(f"it cannot be read after {last or 'its beginning'} ({error})")
            return
        if os.pread(self._file.fileno(), len(_END), at) != _END:
            how = "is cut off" if at >= self._end else "is damaged"
            self._blame(f"it {how} after {last or 'its beginning'}")

    def _blame(self, fault: str) -> None:
        self.fault = self.fault or fault

    def _unpacked(self, path: Path) -> IO[bytes]:
        if path.suffix not in (".gz", ".tgz"):
            return path.open("rb")
        file = tempfile.TemporaryFile(prefix="coin-tar-")  # noqa: SIM115
        with path.open("rb") as packed:
            self._unpack(packed, file)
        file.seek(0)
        return file

    def _unpack(self, packed: IO[bytes], file: IO[bytes]) -> None:
        """As far as it goes: gzip's own reader keeps nothing of the chunk that it fails in."""
        unpacker = zlib.decompressobj(_GZIP)
        rest = b""
        try:
            while chunk := rest or packed.read(_CHUNK):
                if unpacker.eof:
                    # one stream after another is a gzip file, too
                    unpacker = zlib.decompressobj(_GZIP)
                file.write(unpacker.decompress(chunk))
                rest = unpacker.unused_data
        except zlib.error as error:
            self._blame(f"it is damaged ({error})")
        else:
            if not unpacker.eof:
                self._blame("it is cut off")
