"""Patients and slides by pseudonyms: keyed hashes, whose key no archive holds."""

from __future__ import annotations

import hmac
from dataclasses import replace
from pathlib import Path

from coin_retrieval.errors import InputError
from coin_retrieval.tables.cases import CaseRow

LEAST_BYTES = 16
_DIGITS = 24


def read_key(path: Path) -> bytes:
    """The key that a file holds, white space at its ends left out.

    Raises:
        InputError: it cannot be read, or is too short to keep a secret.
    """
    try:
        return check_key(path.read_bytes().strip())
    except OSError as error:
        raise InputError(
            f"the key cannot be read ({error.strerror})", value=str(path), expected="a file"
        ) from error


def check_key(key: bytes) -> bytes:
    """The key, if it is long enough that identities cannot be guessed through it.

    Raises:
        InputError: it is too short.
    """
    if len(key) < LEAST_BYTES:
        raise InputError(
            "the key for pseudonyms is too short",
            value=f"{len(key)} bytes",
            expected=f"at least {LEAST_BYTES} bytes",
            remedy="make one and keep it where the archive is not: openssl rand -hex 32",
        )
    return key


def pseudonymised(row: CaseRow, key: bytes) -> CaseRow:
    """The row with HMAC-SHA256 in place of its patient and its slide (24 hex digits of it).

    The same identity under the same key has the same pseudonym; a patient's is no slide's.
    """
    return replace(
        row,
        patient_id=row.patient_id and _keyed(key, f"patient:{row.patient_id}"),
        slide_id=row.slide_id and _keyed(key, f"slide:{row.slide_id}"),
    )


def fingerprint(key: bytes) -> str:
    """By which the same key is known again; nothing of the key can be told from it."""
    return _keyed(key, "fingerprint")


def _keyed(key: bytes, text: str) -> str:
    return hmac.new(key, text.encode(), "sha256").hexdigest()[:_DIGITS]
