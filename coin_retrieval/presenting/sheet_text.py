"""Text on sheets: Pillow's own scalable font, what it can write, and where lines break.

The font (a subset of Aileron) comes with Pillow, so a sheet looks the same on every machine. It
has ASCII and little more; :func:`spell` writes the rest in ASCII.
"""

from __future__ import annotations

import re
import unicodedata
from functools import cache

from PIL import ImageFont

from coin_retrieval.errors import MissingDependencyError

_BEYOND_ASCII = "©«°±´·»‘’“”…"
_LINE_HEIGHT = 1.32
_SPELLINGS = {
    "—": "-", "–": "-", "‑": "-", "−": "-", "→": "->", "•": "·", "×": "x", "÷": "/",
    "≤": "<=", "≥": ">=", "≈": "~", "≠": "!=", "µ": "u", "μ": "u", "½": "1/2", "¼": "1/4",
    "α": "alpha", "β": "beta", "γ": "gamma", "ß": "ss", "æ": "ae", "ø": "o", "Ø": "O",
    "²": "2", "³": "3",
}  # fmt: skip


def spell(text: str) -> str:
    """The text in letters that the font has; "[?]" stands for a run of others (another script)."""
    written = []
    for character in text:
        if " " <= character <= "~" or character in _BEYOND_ASCII:
            written.append(character)
        elif character in _SPELLINGS:
            written.append(_SPELLINGS[character])
        else:
            plain = unicodedata.normalize("NFKD", character)
            base = "".join(c for c in plain if " " <= c <= "~")
            written.append(base or ("" if unicodedata.combining(character) else "\0"))
    return re.sub("\0(?: *\0)*", "[?]", "".join(written))


def wrap(text: str, size_px: int, width_px: int, limit: int) -> list[str]:
    """Break text into at most ``limit`` lines of ``width_px``; if it is longer it ends in "…"."""
    measure = font(size_px).getlength
    lines: list[str] = [""]
    for word in spell(text).split():
        longer = f"{lines[-1]} {word}".lstrip()
        if measure(longer) <= width_px:
            lines[-1] = longer
            continue
        if lines[-1]:
            lines.append("")
        for character in word:  # a word longer than a line is broken where the line ends
            if lines[-1] and measure(lines[-1] + character) > width_px:
                lines.append("")
            lines[-1] += character
        if len(lines) > limit:
            break
    if len(lines) <= limit:
        return lines
    last = lines[limit - 1]
    while last and measure(f"{last}…") > width_px:
        last = last[:-1].rstrip()
    return [*lines[: limit - 1], f"{last}…"]


def line_px(size_px: int) -> int:
    """From one baseline to the next."""
    return round(size_px * _LINE_HEIGHT)


@cache
def font(size_px: int) -> ImageFont.FreeTypeFont:
    """The font at a size.

    Raises:
        MissingDependencyError: this Pillow was built without FreeType.
    """
    built_in = ImageFont.load_default(size_px)
    if not isinstance(built_in, ImageFont.FreeTypeFont):
        raise MissingDependencyError(
            "Pillow has no FreeType, sheets cannot be lettered",
            remedy="pip install --force-reinstall pillow (its wheels carry FreeType)",
        )
    return built_in
