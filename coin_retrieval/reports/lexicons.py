"""The reader's words: YAML files beside this module, checked when they are loaded."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cache
from operator import attrgetter
from pathlib import Path
from typing import TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from coin_retrieval.errors import SettingsError
from coin_retrieval.files import read_yaml
from coin_retrieval.reports.words import PhraseBook, fold

FOLDER = Path(__file__).with_name("lexicon")

M = TypeVar("M", bound=BaseModel)
Phrases = tuple[str, ...]


class Words(BaseModel):
    """Base: frozen, unknown fields are errors."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class SiteWords(Words):
    """How one site is named; ``part_of`` is a site that gives way to this one."""

    phrases: Phrases
    implied_by: Phrases = ()
    part_of: str = ""
    loinc: Phrases = ()


class SiteLexicon(Words):
    """Sites and procedures by name, and the words that make a site a tumour's origin.

    ``not_sites`` hold a site's word and name none; a site before one of ``not_behind`` neither.
    """

    sites: Mapping[str, SiteWords]
    not_sites: Phrases
    not_behind: Phrases
    origins: Phrases
    origin_before: Phrases
    procedures: Mapping[str, Phrases]


class Cues(Words):
    """Words that change the meaning of what stands after or before them."""

    before: Phrases
    after: Phrases


class ContextLexicon(Words):
    """The cues of ConText; ``none`` look like cues, the others end their scopes."""

    negated: Cues
    possible: Cues
    historical: Cues
    none: Phrases
    ends: Phrases
    affirming: Phrases
    claims: Phrases
    presence: Phrases


class SectionLexicon(Words):
    """Labels of sections by kind, words that may stand around them, and the words of advice."""

    header: Phrases
    body: Phrases
    conclusion: Phrases
    findings: Phrases
    comment: Phrases
    history: Phrases
    adequacy: Phrases
    advice: Phrases
    label_words: Phrases
    advice_words: Phrases


class Denying(Words):
    """Cues of negation by what they deny.

    ``closing`` do where no word follows, ``answers`` deny a question or a heading alone.
    """

    before: Phrases
    beside: Phrases
    after: Phrases
    within: Phrases
    closing: Phrases
    answers: Phrases


class Absence(Words):
    """Parts of a cell that one may lack, and the words that may stand beside them."""

    parts: Phrases
    qualities: Phrases


class Past(Words):
    """Cues of what was: of what follows, of their clause, and of what goes on with it."""

    before: Phrases
    whole: Phrases
    trailing: Phrases
    not_years: Phrases
    counted: Phrases


class Adequacy(Words):
    """Cues of statements about the specimen."""

    strong: Phrases
    alone: Phrases
    beside: Phrases
    specimen: Phrases


class AffirmedLexicon(Words):
    """What of a report is not searched, by its cues."""

    negated: Denying
    none: Phrases
    ends: Phrases
    after_participles: Phrases
    backward_ends: Phrases
    relatives: Phrases
    verbs: Phrases
    absence: Absence
    descriptions: Phrases
    historical: Past
    present: Phrases
    other_person: Phrases
    not_persons: Phrases
    adequacy: Adequacy
    advice: Phrases
    not_advice: Phrases
    advice_opens: Phrases
    advice_goes_on: Phrases
    idle: Phrases


class _Fragments(Words):
    fragments: Mapping[str, str] = Field(min_length=1)


@cache
def load_sites() -> SiteLexicon:
    """Sites and procedures."""
    return load_yaml(FOLDER / "sites.yaml", SiteLexicon)


@cache
def load_contexts() -> ContextLexicon:
    """Cues of negation, doubt and history."""
    return load_yaml(FOLDER / "contexts.yaml", ContextLexicon)


@cache
def load_sections() -> SectionLexicon:
    """Labels of sections."""
    return load_yaml(FOLDER / "sections.yaml", SectionLexicon)


@cache
def load_affirmed() -> AffirmedLexicon:
    """Cues of what is not searched."""
    return load_yaml(FOLDER / "affirmed.yaml", AffirmedLexicon)


@cache
def load_fragments() -> Mapping[str, str]:
    """Wordings that terminologies share."""
    return load_yaml(FOLDER / "fragments.yaml", _Fragments).fragments


def load_yaml(path: Path, model: type[M]) -> M:
    """A checked YAML file.

    Raises:
        SettingsError: the file cannot be read, is no YAML, or does not fit the model.
    """
    # only where a report is read: a client of a server reads none
    import yaml

    try:
        return model.model_validate(read_yaml(path))
    except (OSError, yaml.YAMLError, ValidationError) as error:
        raise SettingsError(
            f"{path.name} cannot be used ({error})",
            value=str(path),
            expected=f"a YAML file of a {model.__name__}",
            remedy="correct the file, or install the package again",
        ) from error


def book_of(patterns: Phrases) -> PhraseBook[None]:
    """A book in which a phrase only is or is not."""
    book: PhraseBook[None] = PhraseBook()
    for pattern in patterns:
        book.add(pattern, None)
    return book


@cache
def phrase_book(load: Callable[[], Words], name: str) -> PhraseBook[None]:
    """The phrases of one field of a lexicon, such as ``historical.whole``."""
    return book_of(attrgetter(name)(load()))


@cache
def word_keys(load: Callable[[], Words], name: str) -> frozenset[str]:
    """The single words of a field, as they are compared."""
    return frozenset(map(fold, attrgetter(name)(load())))
