"""Compose reports in clinicians' wording from the labels and attributes of a case table.

The words are data (``lexicon.yaml``); this module only puts them together: site or procedure in
brackets, findings, conclusion, telegraphic notes, Bethesda phrases, any order, parts left out.
Whole held-out reports, in other words, judge the models and are never trained on.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path

import numpy as np
import yaml
from pydantic import BaseModel, ConfigDict

from coin_retrieval.case_table import CaseRow
from coin_retrieval.errors import CaseTableError

LEXICON = Path(__file__).with_name("lexicon.yaml")


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
    held_out: tuple[str, ...]


class Lexicon(BaseModel):
    """All words: ``attributes`` is column → value → phrases."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    sites: Mapping[str, tuple[str, ...]]
    specimens: Mapping[str, tuple[str, ...]]
    stains: Mapping[str, tuple[str, ...]]
    findings: Mapping[str, FindingWords]
    attributes: Mapping[str, Mapping[str, tuple[str, ...]]]


@cache
def load_lexicon(path: Path = LEXICON) -> Lexicon:
    """The lexicon of a YAML file."""
    return Lexicon.model_validate(yaml.safe_load(path.read_text(encoding="utf-8")))


def held_out_reports(finding: str) -> tuple[str, ...]:
    """Whole reports of a finding that no training caption contains.

    Raises:
        CaseTableError: a finding without words.
    """
    return _words(finding).held_out


def compose_report(row: CaseRow, random: np.random.Generator) -> str:
    """One report of what this row's picture shows, worded at random.

    Raises:
        CaseTableError: a finding without words.
    """
    words = _words(row.finding)
    signs = _signs(row, words, random)
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
    return _cased(f"{_setting(row, random)}{body}", random)


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


def _signs(row: CaseRow, words: FindingWords, random: np.random.Generator) -> list[str]:
    """A random part of the finding's signs and of the cell's own attributes, in random order."""
    lexicon = load_lexicon().attributes
    groups: list[Sequence[str]] = list(words.signs)
    kept = [groups[i] for i in random.permutation(len(groups))[: random.integers(len(groups) + 1)]]
    seen = [
        lexicon[column][value]
        for column, value in row.attributes.items()
        if value in lexicon.get(column, {})
    ]
    kept += [seen[i] for i in random.permutation(len(seen))[: random.integers(4)]]
    return [_pick(kept[i], random) for i in random.permutation(len(kept))]


def _setting(row: CaseRow, random: np.random.Generator) -> str:
    """Nothing, or the site, procedure and stain, each left out at times."""
    lexicon = load_lexicon()
    named = [
        _pick(options[value], random)
        for options, value, share in (
            (lexicon.sites, row.site, 0.6),
            (lexicon.specimens, row.specimen, 0.4),
            (lexicon.stains, row.stain, 0.3),
        )
        if value in options and random.random() < share
    ]
    if not named or random.random() < 0.35:
        return ""
    where = ", ".join(named)
    return _pick((f"({where}) ", f"{where}: ", f"{where}. "), random)


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
