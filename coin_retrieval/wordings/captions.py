"""Compose reports in clinicians' wording from the labels and attributes of a case table.

The words are data (``lexicon.yaml``); this module only puts them together: site or procedure in
brackets, findings, conclusion, telegraphic notes, Bethesda phrases, any order, parts left out.
Besides, whole reports of people who know how colleagues write (``reports.yaml``, and in five
other languages ``other_languages.yaml``). Whole
held-out reports (``held_out.yaml``), written without sight of the others, judge the models
and are never trained on.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from itertools import chain
from pathlib import Path

import numpy as np
from pydantic import BaseModel, ConfigDict

from coin_retrieval.errors import CaseTableError, InputError
from coin_retrieval.files import read_yaml
from coin_retrieval.tables.cases import CaseRow

WORDINGS = Path(__file__).parent
LEXICON = WORDINGS / "lexicon.yaml"
TRAINED_WORDINGS = (LEXICON, WORDINGS / "reports.yaml", WORDINGS / "other_languages.yaml")
_WHOLE_SHARE = 0.45
_ASIDE_EVERY = 12

Statements = Mapping[str, str]
"""What a report or a row states: concept group → value."""


class FindingWords(BaseModel):
    """Where one finding is seen most, and how it is called, seen and concluded."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    site: str
    specimen: str
    stain: str
    diagnosis: str
    names: tuple[str, ...]
    signs: tuple[tuple[str, ...], ...]
    conclusions: tuple[str, ...]


class Lexicon(BaseModel):
    """All words: ``attributes`` is column → value → phrases."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    sites: Mapping[str, tuple[str, ...]]
    specimens: Mapping[str, tuple[str, ...]]
    stains: Mapping[str, tuple[str, ...]]
    findings: Mapping[str, FindingWords]
    attributes: Mapping[str, Mapping[str, tuple[str, ...]]]


@dataclass(frozen=True, slots=True)
class Composed:
    """A report and what it states."""

    text: str
    stated: Statements


@cache
def load_lexicon(path: Path = LEXICON) -> Lexicon:
    """The lexicon of a YAML file."""
    return Lexicon.model_validate(read_yaml(path))


@cache
def held_out_reports() -> Mapping[str, tuple[str, ...]]:
    """Finding → whole reports that no training caption contains."""
    return _read_reports("held_out.yaml")


@cache
def reports_from_elsewhere_by_group() -> Mapping[str, tuple[str, ...]]:
    """Where from → reports to train on of what no training picture shows."""
    return _read_reports("elsewhere.yaml")


@cache
def reports_from_elsewhere() -> tuple[str, ...]:
    """All of :func:`reports_from_elsewhere_by_group`."""
    return tuple(chain.from_iterable(reports_from_elsewhere_by_group().values()))


@cache
def held_out_from_elsewhere() -> tuple[str, ...]:
    """As :func:`reports_from_elsewhere`, never trained on."""
    return tuple(chain.from_iterable(_read_reports("held_out_elsewhere.yaml").values()))


@cache
def english_reports() -> Mapping[str, tuple[str, ...]]:
    """Finding → whole reports to train on, those in English."""
    return _read_reports("reports.yaml")


@cache
def whole_reports() -> Mapping[str, tuple[str, ...]]:
    """Finding → whole reports to train on: English ones, then those in other languages."""
    others = _read_reports("other_languages.yaml")
    return {name: (*texts, *others.get(name, ())) for name, texts in english_reports().items()}


@dataclass(frozen=True)
class WholeReports:
    """Finding → reports of what pictures show, and reports of what lies elsewhere."""

    inside: Mapping[str, tuple[str, ...]]
    elsewhere: tuple[str, ...]


@cache
def read_and_set_aside() -> tuple[WholeReports, WholeReports]:
    """The whole reports in two: what a reader reads, and every twelfth, by which it is tried."""
    inside = {finding: _split(texts) for finding, texts in whole_reports().items()}
    elsewhere = _split(reports_from_elsewhere())
    read, aside = (
        WholeReports({finding: parts[which] for finding, parts in inside.items()}, elsewhere[which])
        for which in (0, 1)
    )
    return read, aside


def _split(texts: tuple[str, ...]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    aside = texts[_ASIDE_EVERY - 1 :: _ASIDE_EVERY]
    # the same words twice would be read after all
    hidden = {_plain(text) for text in aside}
    return tuple(text for text in texts if _plain(text) not in hidden), aside


def _plain(text: str) -> str:
    return text.lower().rstrip(".")


def statements_of(row: CaseRow) -> Statements:
    """All that a row says and that the lexicon has words for."""
    lexicon = load_lexicon()
    seen = {
        column: value
        for column, value in row.attributes.items()
        if value in lexicon.attributes.get(column, {})
    }
    setting = {"site": row.site, "specimen": row.specimen, "stain": row.stain}
    return {"finding": row.finding} | {k: v for k, v in setting.items() if v} | seen


def finding_rows(where: Mapping[str, Sequence[str]]) -> list[CaseRow]:
    """A row of every finding as it is seen most, without a picture or a report.

    Raises:
        InputError: none fits.
    """
    lexicon = load_lexicon()
    rows = [
        CaseRow(Path(), "", words.site, words.specimen, words.stain, words.diagnosis, finding)
        for finding, words in sorted(lexicon.findings.items())
    ]
    kept = [row for row in rows if row.fits(where)]
    if not kept:
        raise InputError(
            "no finding is left to compose reports of",
            value=dict(where),
            expected="a site, specimen, stain, diagnosis or finding of the training lexicon",
        )
    return kept


def compose_reports(rows: Sequence[CaseRow], seed: int) -> list[CaseRow]:
    """The rows, each with a report of what its picture shows, worded at random.

    Raises:
        CaseTableError: a finding without words.
    """
    random = np.random.default_rng(seed)
    return [replace(row, report=compose_report(row, random)) for row in rows]


def compose_report(row: CaseRow, random: np.random.Generator) -> str:
    """One report of what this row's picture shows, worded at random.

    Raises:
        CaseTableError: a finding without words.
    """
    return compose(row, random).text


def compose(
    row: CaseRow,
    random: np.random.Generator,
    whole: Mapping[str, Sequence[str]] | None = None,
) -> Composed:
    """As :func:`compose_report`, with what the report states; whole reports are of those given."""
    setting, stated = _setting(row, random)
    stated["finding"] = row.finding
    own = (whole_reports() if whole is None else whole).get(row.finding, ())
    if own and random.random() < _WHOLE_SHARE:
        # a whole report has its own setting, or leaves it out on purpose
        return Composed(_cased(_pick(own, random), random), {"finding": row.finding})
    return _put_together(row, random, setting, stated)


def _put_together(
    row: CaseRow, random: np.random.Generator, setting: str, stated: dict[str, str]
) -> Composed:
    """Words of the lexicon after a setting that is worded already."""
    words = _words(row.finding)
    signs, seen = _signs(row, words, random)
    stated |= seen
    name, conclusion = _pick(words.names, random), _pick(words.conclusions, random)
    described = _joined(signs, random)
    layout = int(random.integers(7))
    if layout == 0 or not signs:
        body = name
    elif layout == 1:
        body = described
    elif layout == 2:
        body = f"{name} with {described}"
    elif layout == 3:
        body = f"{conclusion}; Additional comment: {described}"
    elif layout == 4:
        body = f"{conclusion}. {described}"
    else:
        body = f"{described}. {conclusion}"
    if layout == 0 or not signs:
        stated = {k: v for k, v in stated.items() if k not in seen}
    return Composed(_cased(f"{setting}{body}", random), stated)


def composed_parts(finding: str, count: int) -> tuple[str, ...]:
    """Distinct reports of a finding as it is seen most, put together from the lexicon's words.

    The same ones whenever they are asked for; fewer than ``count`` where words repeat. No whole
    report is among them.
    """
    random = np.random.default_rng(0)
    words = _words(finding)
    row = CaseRow(Path(), "", words.site, words.specimen, words.stain, words.diagnosis, finding)
    texts = (_put_together(row, random, *_setting(row, random)).text for _ in range(count))
    return tuple(dict.fromkeys(texts))


def compose_elsewhere(random: np.random.Generator, reports: Sequence[str]) -> Composed:
    """One of the reports of what no training picture shows: it states nothing to be drawn."""
    return Composed(_cased(_pick(reports, random), random), {})


def compose_setting(row: CaseRow, random: np.random.Generator) -> Composed:
    """Site, procedure and stain alone: a report that names no finding."""
    setting, stated = _setting(row, random)
    return Composed(setting.strip(" ():."), stated)


def _read_reports(name: str) -> Mapping[str, tuple[str, ...]]:
    raw = read_yaml(WORDINGS / name)
    return {finding: tuple(reports) for finding, reports in raw.items()}


def _words(finding: str) -> FindingWords:
    findings = load_lexicon().findings
    if finding not in findings:
        raise CaseTableError(
            "a finding has no words to compose reports from",
            value=finding,
            expected=f"one of the {len(findings)} findings of {LEXICON.name}",
            remedy="add the finding's names, signs and conclusions to the lexicon",
        )
    return findings[finding]


def _signs(
    row: CaseRow, words: FindingWords, random: np.random.Generator
) -> tuple[list[str], dict[str, str]]:
    """A random part of the finding's signs and of the cell's own attributes, in random order.

    Beside the phrases: which attributes they state.
    """
    lexicon = load_lexicon().attributes
    groups: list[Sequence[str]] = list(words.signs)
    kept = [groups[i] for i in random.permutation(len(groups))[: random.integers(len(groups) + 1)]]
    own = [(k, v) for k, v in statements_of(row).items() if k in lexicon]
    seen = dict(own[i] for i in random.permutation(len(own))[: random.integers(4)])
    kept += [lexicon[column][value] for column, value in seen.items()]
    return [_pick(kept[i], random) for i in random.permutation(len(kept))], seen


def _setting(row: CaseRow, random: np.random.Generator) -> tuple[str, dict[str, str]]:
    """Nothing, or the site, procedure and stain, each left out at times; and what that states."""
    lexicon = load_lexicon()
    named = {
        group: (value, _pick(options[value], random))
        for group, options, value, share in (
            ("site", lexicon.sites, row.site, 0.6),
            ("specimen", lexicon.specimens, row.specimen, 0.4),
            ("stain", lexicon.stains, row.stain, 0.3),
        )
        if value in options and random.random() < share
    }
    if not named or random.random() < 0.35:
        return "", {}
    where = ", ".join(phrase for _, phrase in named.values())
    text = _pick((f"({where}) ", f"{where}: ", f"{where}. "), random)
    return text, {group: value for group, (value, _) in named.items()}


def _joined(phrases: Sequence[str], random: np.random.Generator) -> str:
    return _pick((", ", ", ", "; ", " and ", ". "), random).join(phrases)


def _cased(text: str, random: np.random.Generator) -> str:
    style = random.random()
    if style < 0.3:
        text = text[:1].upper() + text[1:]
    elif style < 0.4:
        text = text.lower()
    return text + ("." if random.random() < 0.5 and not text.endswith(".") else "")


def _pick(options: Sequence[str], random: np.random.Generator) -> str:
    return options[int(random.integers(len(options)))]
