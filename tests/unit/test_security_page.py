"""docs/security.md stays true: every test that it names is there, and no requirement has none."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
NAMED = re.compile(r"`([\w/]+\.py)(?:::(test_\w+))?`(?: of (\w+))?")


def named(text: str) -> list[tuple[Path, str]]:
    """Files, and functions in them, as a line of the page names them."""
    found = []
    for path, function, room in NAMED.findall(text):
        below = ROOT if path.startswith("tests/") else ROOT / "tests/unit" / (room or "server")
        found.append((below / path, function))
    return found


def test_every_test_that_is_named_is_there() -> None:
    found = named((ROOT / "docs/security.md").read_text(encoding="utf-8"))
    assert len(found) > 50
    for path, function in found:
        assert f"def {function}" in path.read_text(encoding="utf-8"), f"{path.name}::{function}"


def test_every_requirement_names_a_test_function() -> None:
    page = (ROOT / "docs/security.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| (V[\d.]+.*)$", page, re.MULTILINE)
    assert len(rows) == 26
    for row in rows:
        assert any(function for _, function in named(row)), row
