"""Reporting systems as data: one YAML file a system in `terminologies/`.

A category has phrases that mean it without a site too, if no other system uses them (``phrases``),
at a site of the system only (``at_site``), or there and in the conclusion only
(``in_conclusion``). ``negative`` marks categories that say what is not there; ``additive`` ones,
such as organisms, stand beside the category of the case.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from functools import cache
from pathlib import Path
from typing import Self

from pydantic import Field, model_validator

from coin_retrieval.errors import SettingsError
from coin_retrieval.reports.lexicons import Phrases, Words, load_fragments, load_sites, load_yaml
from coin_retrieval.reports.words import PhraseBook
from coin_retrieval.types import DiagnosisCode

FOLDER = Path(__file__).with_name("terminologies")


class Holds(Enum):
    """Where a phrase means its category."""

    ANYWHERE = "phrases"
    AT_SITE = "at_site"
    IN_CONCLUSION = "in_conclusion"


class Category(Words):
    """One category and its wordings."""

    code: str = Field(min_length=1)
    name: str = Field(min_length=1)
    negative: bool = False
    additive: bool = False
    phrases: Phrases = ()
    at_site: Phrases = ()
    in_conclusion: Phrases = ()

    @model_validator(mode="after")
    def _has_words(self) -> Self:
        if not (self.phrases or self.at_site or self.in_conclusion):
            raise ValueError(f"category {self.code} has no phrase")
        return self


class Terminology(Words):
    """A reporting system of one edition, its sites, and the publication that defines it.

    A report with a category of it and no site is of the site that it ``implies``, if any.
    """

    system: str = Field(min_length=1)
    edition: str = Field(min_length=1)
    source: str = Field(min_length=20)
    sites: tuple[str, ...] = Field(min_length=1)
    implies: str = ""
    categories: tuple[Category, ...] = Field(min_length=2)

    @model_validator(mode="after")
    def _is_consistent(self) -> Self:
        codes = [category.code for category in self.categories]
        if len(set(codes)) != len(codes):
            raise ValueError(f"{self.system}: a code stands twice in {codes}")
        unknown = set(self.sites) - load_sites().sites.keys()
        if self.implies not in ("", *self.sites):
            raise ValueError(f"{self.system}: {self.implies} is none of its sites")
        if unknown:
            raise ValueError(f"{self.system}: no such site: {', '.join(sorted(unknown))}")
        return self


@dataclass(frozen=True, slots=True)
class Meaning:
    """What a phrase may mean: a category of a system, and where it does."""

    code: DiagnosisCode
    name: str
    sites: frozenset[str]
    holds: Holds
    negative: bool
    additive: bool


@cache
def load_terminologies(folder: Path = FOLDER) -> tuple[Terminology, ...]:
    """All systems of a folder, by file name.

    Raises:
        SettingsError: a file that is no terminology, or none at all.
    """
    found = tuple(load_yaml(path, Terminology) for path in sorted(folder.glob("*.yaml")))
    if not found:
        raise SettingsError(
            "there is no terminology",
            value=str(folder),
            expected="YAML files, one a reporting system",
            remedy="install the package again",
        )
    return found


@cache
def category_book(folder: Path = FOLDER) -> PhraseBook[Meaning]:
    """Every phrase of every system.

    Raises:
        SettingsError: a phrase cannot be read.
    """
    book: PhraseBook[Meaning] = PhraseBook(load_fragments())
    for terminology in load_terminologies(folder):
        for category in terminology.categories:
            code = DiagnosisCode(terminology.system, terminology.edition, category.code)
            for holds in Holds:
                meaning = Meaning(
                    code=code,
                    name=category.name,
                    sites=frozenset(terminology.sites),
                    holds=holds,
                    negative=category.negative,
                    additive=category.additive,
                )
                for pattern in getattr(category, holds.value):
                    _add(book, pattern, meaning)
    return book


def _add(book: PhraseBook[Meaning], pattern: str, meaning: Meaning) -> None:
    try:
        book.add(pattern, meaning)
    except ValueError as error:
        raise SettingsError(
            f"{meaning.code.system} {meaning.code.code} has a phrase that cannot be read ({error})",
            value=pattern,
            expected="words, with [optional], (one|of|several) and {fragment}",
        ) from error
