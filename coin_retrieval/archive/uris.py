"""Where a picture lies, as a URI that holds any file name."""

from __future__ import annotations

import os
from pathlib import Path
from urllib.parse import unquote_to_bytes, urlsplit

from coin_retrieval.errors import UnsupportedError
from coin_retrieval.images.containers.urls import SCHEMES, UrlPath


def absolute(path: Path) -> Path:
    """Independent of the working folder; links are kept, since they may be pseudonyms."""
    return path.resolve() if ".." in path.parts else path.absolute()


def to_uri(path: Path, part: str = "") -> str:
    """A file, or an object in a bucket, as a URI; behind ``#`` the part of it that is meant."""
    uri = absolute(path).as_uri()
    return f"{uri}#{part}" if part else uri


def to_path(uri: str) -> Path:
    """The file that a URI names, or names a part of, whether or not it exists.

    Raises:
        UnsupportedError: no URI of a file or of an object in a bucket.
    """
    parts = urlsplit(uri)
    path = os.fsdecode(unquote_to_bytes(parts.path))
    if parts.scheme in SCHEMES:
        return UrlPath(f"{parts.scheme}:", parts.netloc, path.lstrip("/"))
    if parts.scheme != "file":
        raise UnsupportedError(
            "pictures are read from files", value=uri, expected="file:///… or s3://…"
        )
    return Path(path)
