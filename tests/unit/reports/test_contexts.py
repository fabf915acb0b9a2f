"""Scopes of negation, doubt and history: what they cover, and where they end."""

from __future__ import annotations

import pytest

from coin_retrieval.reports.contexts import Assertion, Contexts
from coin_retrieval.reports.words import tokenize


def assertion(text: str) -> Assertion:
    """How the word *lesion* is meant."""
    tokens = tokenize(text)
    place = next(n for n, token in enumerate(tokens) if token.key == "lesion")
    return Contexts(tokens, [0] * len(tokens)).assertion_of(place, place + 1)[0]


@pytest.mark.parametrize(
    "text",
    [
        "No lesion.",
        "Negative for atypia, lesion or necrosis.",
        "Without evidence of atypia or lesion.",
        "A lesion is not seen.",
        "Lesion: absent.",
        "Atypia, lesion, necrosis are not identified.",
        "The smear does not show any lesion.",
        "-ve for lesion",
        "No atypia (including lesion) seen",
        "not consistent with a lesion",
        "no cells suspicious for a lesion",
        "no history of lesion",
    ],
)
def test_negated(text: str) -> None:
    assert assertion(text) is Assertion.NEGATED


@pytest.mark.parametrize(
    "text",
    [
        "No atypia. Lesion present.",
        "No atypia; lesion present.",
        "No atypia but a lesion.",
        "No atypia, the lesion is present.",
        "No atypia, necrosis or mitoses, the lesion is present.",
        "No atypia, changes consistent with lesion.",
        "Not only a lesion.",
        "No increase of the lesion.",
        "Lesion present, necrosis not seen.",
        "Lesion (no necrosis)",
        "Previous atypia, now a lesion",
        "No. Lesion.",
    ],
)
def test_affirmed(text: str) -> None:
    assert assertion(text) is Assertion.AFFIRMED


@pytest.mark.parametrize(
    "text",
    [
        "Suspicious for lesion.",
        "A lesion cannot be excluded.",
        "Lesion is not excluded.",
        "?lesion",
        "? lesion",
        "lesion?",
        "rule out lesion",
        "Possible lesion",
        "r/o lesion",
        "reactive vs lesion",
    ],
)
def test_possible(text: str) -> None:
    assert assertion(text) is Assertion.POSSIBLE


@pytest.mark.parametrize(
    "text", ["History of lesion.", "Known lesion", "h/o lesion", "prior lesion"]
)
def test_historical(text: str) -> None:
    assert assertion(text) is Assertion.HISTORICAL


def test_no_scope_leaves_its_section() -> None:
    tokens = tokenize("no lesion")
    assert Contexts(tokens, [0, 1]).scopes == []


def test_a_phrase_that_holds_its_cue_is_not_denied_by_it_but_what_follows_is() -> None:
    tokens = tokenize("negative for atypia (NFA) or lesion")
    contexts = Contexts(tokens, [0] * len(tokens), owned=[(0, 3)])
    assert contexts.assertion_of(0, 3)[0] is Assertion.AFFIRMED
    assert contexts.assertion_of(4, 5)[0] is Assertion.AFFIRMED
    assert contexts.assertion_of(7, 8)[0] is Assertion.NEGATED
