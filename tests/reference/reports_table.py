"""The frozen reports with what the reader gives now; ``python tests/reference/reports_table.py``
writes it into docs/reports.md."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from coin_retrieval.reports.plain import read_report

HERE = Path(__file__).parent
DOCUMENT = HERE.parents[1] / "docs" / "reports.md"
SETS = {"forty": HERE / "reports_40.yaml", "unseen": HERE / "reports_unseen.yaml"}
_SHOWN_CHARACTERS = 110


@dataclass(frozen=True)
class Judged:
    """A report with what is expected and what was read: site, and codes as system/edition/code."""

    report_id: str
    text: str
    expected: tuple[str, tuple[str, ...]]
    read: tuple[str, tuple[str, ...]]
    known_miss: tuple[str, tuple[str, ...]] | None

    @property
    def right(self) -> bool:
        return self.read == self.expected


def judge(path: Path) -> list[Judged]:
    return [_judge(entry) for entry in yaml.safe_load(path.read_text(encoding="utf-8"))]


def table(judged: Sequence[Judged]) -> str:
    lines = ["| | report | site | categories | |", "|---|---|---|---|---|"]
    for one in judged:
        site, codes = (_both(*pair) for pair in zip(one.expected, one.read, strict=True))
        mark = "✓" if one.right else "**miss**"
        lines.append(f"| {one.report_id} | {_short(one.text)} | {site} | {codes} | {mark} |")
    right = sum(one.right for one in judged)
    return "\n".join([*lines, "", f"{right} of {len(judged)} as expected."])


def document(text: str) -> str:
    """The document's text with its tables as they are now."""
    for name, path in SETS.items():
        before, rest = text.split(f"<!-- {name} -->\n", 1)
        after = rest.split(f"<!-- end of {name} -->", 1)[1]
        body = table(judge(path))
        text = f"{before}<!-- {name} -->\n{body}\n<!-- end of {name} -->{after}"
    return text


def _judge(entry: Mapping[str, Any]) -> Judged:
    report = read_report(entry["text"])
    codes = tuple(sorted(f"{c.system}/{c.edition}/{c.code}" for c in report.codes))
    miss = entry.get("reads")
    return Judged(
        report_id=str(entry["id"]),
        text=entry["text"],
        expected=(entry["site"], tuple(sorted(entry["codes"]))),
        read=(report.site, codes),
        known_miss=(miss["site"], tuple(sorted(miss["codes"]))) if miss else None,
    )


def _both(expected: str | tuple[str, ...], read: str | tuple[str, ...]) -> str:
    shown = _words(expected)
    return shown if expected == read else f"{shown}; read: {_words(read)}"


def _words(value: str | tuple[str, ...]) -> str:
    words = value if isinstance(value, str) else ", ".join(c.replace("/", " ") for c in value)
    return words or "–"


def _short(text: str) -> str:
    if len(text) > _SHOWN_CHARACTERS:
        text = text[:_SHOWN_CHARACTERS].rsplit(" ", 1)[0] + " …"
    return text.replace("|", "\\|")


if __name__ == "__main__":
    DOCUMENT.write_text(document(DOCUMENT.read_text(encoding="utf-8")), encoding="utf-8")
