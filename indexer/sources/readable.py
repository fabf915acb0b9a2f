"""Names of files as text that any catalog keeps and any terminal shows."""

from __future__ import annotations

import os


def readable(name: str) -> str:
    """A name with what is no UTF-8, or cannot be shown, written as ``\\xff``."""
    text = os.fsencode(name).decode("utf-8", "backslashreplace")
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)
