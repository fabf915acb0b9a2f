"""The page's catalogs of messages."""

from __future__ import annotations

import ast
import json
import re
from pathlib import Path
from typing import Any

import pytest

import coin_retrieval
from server.routes.page import STATIC

CATALOGS: dict[str, dict[str, Any]] = {}
for file in (STATIC / "messages").rglob("*.json"):
    CATALOGS.setdefault(file.stem, {}).update(json.loads(file.read_text("utf-8")))
TRANSLATED = sorted(set(CATALOGS) - {"en"})
SCRIPTS = [
    file.read_text("utf-8") for file in STATIC.rglob("*.js") if file.parent.name != "openseadragon"
]
PAGES = [file.read_text("utf-8") for file in STATIC.glob("*.html")]


def places(message: str | dict[str, str]) -> set[str]:
    texts = [message] if isinstance(message, str) else list(message.values())
    return {name for text in texts for name in re.findall(r"\{(\w+)\}", text)}


@pytest.mark.parametrize("language", TRANSLATED)
def test_every_message_is_translated_with_its_values(language: str) -> None:
    for key, message in CATALOGS["en"].items():
        assert places(CATALOGS[language][key]) == places(message), key


@pytest.mark.parametrize("language", sorted(CATALOGS))
def test_every_message_has_a_form_for_any_number(language: str) -> None:
    assert all(isinstance(m, str) or "other" in m for m in CATALOGS[language].values())


def test_the_translations_hold_the_same_messages() -> None:
    # English sentences of an answer come from the server; the others are made by the page
    assert len({frozenset(CATALOGS[language]) for language in TRANSLATED}) == 1


@pytest.mark.parametrize("language", TRANSLATED)
def test_a_sentence_of_the_program_that_is_translated_is_still_one(language: str) -> None:
    rooms = ("search", "ranking", "language", "presenting")
    modules = [
        file for room in rooms for file in Path(coin_retrieval.__path__[0], room).glob("*.py")
    ]
    written = "\n".join(
        node.value
        for file in modules
        for node in ast.walk(ast.parse(file.read_text("utf-8")))
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
    )
    patterns = [key.removeprefix("say:") for key in CATALOGS[language] if key.startswith("say:")]
    parts = {part for one in patterns for part in re.split(r"\{\w+\}|[:;,()]| and ", one)}
    assert patterns
    assert [part for part in parts if part.strip() not in written] == []
    for pattern in patterns:
        assert places(pattern) == places(CATALOGS[language][f"say:{pattern}"])


def test_every_message_that_the_page_names_is_there() -> None:
    named = {key for page in PAGES for key in re.findall(r'data-t(?:-[a-z-]+)?="([^"]+)"', page)}
    named |= {key for script in SCRIPTS for key in re.findall(r'\bt\("([^"]+)"', script)}
    assert named <= set(CATALOGS["de"])
