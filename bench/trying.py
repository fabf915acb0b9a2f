"""How the program answers the reports that try it: what is found, what is told, by kind of report.

    python bench/trying.py ARCHIVE [--reports tests/reference/trying_open.yaml] [--out out/trying]
        [--mode text|prototype|fused] [--prototypes 4]

The archive must hold what the file's head lists (blood, red cells, cervix, sites; split val). A
report is asked as a reader would ask it; those of the strata negated and historical also with their
denied and past clauses cut out by hand, which is what could be reached.
"""

from __future__ import annotations

import argparse
import re
import sys
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT / "tests"))

from reference.trying import OPEN, TryingReport, TryingSet, read_trying  # noqa: E402

from coin_retrieval.cli.opening import open_retriever  # noqa: E402
from coin_retrieval.errors import ReportError  # noqa: E402
from coin_retrieval.language.spelling import Correction  # noqa: E402
from coin_retrieval.search.query import Query  # noqa: E402
from coin_retrieval.search.result import SearchResult  # noqa: E402
from coin_retrieval.search.retriever import Retriever  # noqa: E402

PLACES = 10
HEADINGS = ("reports", "P@10", "cut by hand", "mistakes of 10", "searched", "left out", "site",
            "closeness", "not judged")  # fmt: skip


@dataclass(frozen=True)
class Answered:
    """One report's figures; ``None`` where nothing is expected of it."""

    one: TryingReport
    verdict: str
    precision: float | None
    by_hand: float | None
    mistakes: float | None
    searched: float
    left_out: float | None
    site: float
    close: float | None

    def row(self) -> list[str]:
        found = (self.precision, self.by_hand, self.mistakes, self.searched, self.left_out,
                 self.site, self.close)  # fmt: skip
        return [self.one.id, *("" if v is None else f"{v:g}" for v in found), self.verdict]


def answer(retriever: Retriever, one: TryingReport, of: TryingSet, query: Query) -> Answered:
    """Ask one report and hold the answer against what a cytologist expects."""
    right, wrong = ({f for label in labels for f in of.findings(label)}
                    for labels in (one.relevant, one.not_relevant))  # fmt: skip
    found = _search(retriever, query.model_copy(update={"report": one.report}))
    by_hand = None
    if one.without_negations and right:
        cut = _search(retriever, query.model_copy(update={"report": one.without_negations}))
        by_hand = _share(cut, right)
    words = found.plan.words if found else None
    left = [part.words.text for part in words.left_out] if words else [one.report]
    language = found.plan.language if found else None
    corrections = language.corrections if language else ()
    told = found.plan.site if found else None
    verdict = found.closeness.verdict.value if found else "refused"
    return Answered(
        one,
        verdict,
        precision=_share(found, right) if right else None,
        by_hand=by_hand,
        mistakes=PLACES * _share(found, wrong) if wrong else None,
        searched=_all(
            _within(_read(text, corrections), [words.searched] if words else [])
            for text in one.searched
        ),
        left_out=_all(_within(_read(part.text, corrections), left) for part in one.left_out)
        if one.left_out
        else None,
        site=float((told.name if told else "") == one.site),
        close=None if one.close == "either" else float(verdict == one.close),
    )


def _search(retriever: Retriever, query: Query) -> SearchResult | None:
    try:
        return retriever.search(query)
    except ReportError:
        return None


def _share(found: SearchResult | None, findings: set[str]) -> float:
    cases = found.cases[:PLACES] if found else ()
    return sum(case.matches[0].image.finding in findings for case in cases) / PLACES


def _read(text: str, corrections: Iterable[Correction]) -> str:
    """A part of a report as the program reads it, its misspelt words corrected."""
    for one in corrections:
        text = re.sub(rf"\b{re.escape(one.written)}\b", one.span.text, text)
    return text


def _within(text: str, parts: list[str]) -> bool:
    words = _plain(text)
    return any(words in _plain(part) for part in parts) or words in _plain(" ".join(parts))


def _plain(text: str) -> str:
    return " ".join("".join(c if c.isalnum() else " " for c in text.casefold()).split())


def _all(found: Iterable[bool]) -> float:
    return float(all(found))


def table(answered: list[Answered]) -> str:
    """Means by stratum, then every report."""
    lines = [f"| | {' | '.join(HEADINGS)} |", f"|---|{'---|' * len(HEADINGS)}"]
    strata = dict.fromkeys(a.one.stratum for a in answered)
    groups: list[tuple[str, list[Answered]]] = [
        (name.replace("_", " "), [a for a in answered if a.one.stratum == name]) for name in strata
    ]
    for name, of in [*groups, ("all", answered)]:
        figures = (
            _mean(of, lambda a: a.precision), _mean(of, lambda a: a.by_hand),
            _mean(of, lambda a: a.mistakes), _mean(of, lambda a: a.searched),
            _mean(of, lambda a: a.left_out), _mean(of, lambda a: a.site),
            _mean(of, lambda a: a.close),
        )  # fmt: skip
        open_ = sum(a.verdict == "not judged" for a in of)
        lines.append(f"| {name} | {len(of)} | {' | '.join(figures)} | {open_} |")
    lines += ["", "| report | P@10 | cut by hand | mistakes | searched | left out | site |"
              " closeness | verdict |", "|---|---|---|---|---|---|---|---|---|"]  # fmt: skip
    lines += [f"| {' | '.join(a.row())} |" for a in answered]
    return "\n".join(lines) + "\n"


def _mean(of: list[Answered], value: Callable[[Answered], float | None]) -> str:
    found = [v for v in map(value, of) if v is not None]
    return f"{sum(found) / len(found):.2f}" if found else ""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("archive", type=Path)
    parser.add_argument("--reports", type=Path, default=OPEN)
    parser.add_argument("--mode", choices=("text", "prototype", "fused"))
    parser.add_argument("--prototypes", type=int)
    parser.add_argument("--out", type=Path, help="directory for trying.md")
    given = parser.parse_args()
    whole = read_trying(given.reports)
    query = Query.of(mode=given.mode, prototypes=given.prototypes, k=PLACES)
    retriever = open_retriever(given.archive)
    with retriever.archive:
        answered = [answer(retriever, one, whole, query) for one in whole.reports]
    text = table(answered)
    print(text)
    if given.out:
        given.out.mkdir(parents=True, exist_ok=True)
        (given.out / "trying.md").write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
