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


def filled(words: int) -> str:
    return " ".join(f"w{number}" for number in range(words))


@pytest.mark.parametrize(
    ("text", "inside", "outside"),
    [
        ("no {} lesion", 79, 80),  # the scope is eighty words, the lesion the last of them
        ("lesion {} is not seen", 79, 80),
    ],
)
def test_a_scope_reaches_eighty_words_and_no_further(text: str, inside: int, outside: int) -> None:
    assert assertion(text.format(filled(inside))) is Assertion.NEGATED
    assert assertion(text.format(filled(outside))) is Assertion.AFFIRMED


def scopes(text: str) -> list[tuple[str, str]]:
    """Each cue and what it covers, in words."""
    tokens = tokenize(text)
    words = [token.key for token in tokens]
    return [
        (" ".join(words[s.cue_start : s.cue_end]), " ".join(words[s.start : s.end]))
        for s in Contexts(tokens, [0] * len(tokens)).scopes
    ]


@pytest.mark.parametrize(
    ("text", "cue", "covered"),
    [
        ("No atypia, necrosis. Lesion.", "no", "atypia , necrosis"),
        ("No atypia (or lesion) here. x", "no", "atypia ( or lesion ) here"),
        ("Cells (no atypia) lesion", "no", "atypia"),
        ("No atypia: lesion", "no", "atypia"),
        ("No: atypia lesion", "no", ": atypia lesion"),
        ("History of atypia, lesion", "history of", "atypia"),
        ("Atypia present, lesion is not seen", "is not seen", "lesion"),
        ("Fine. Atypia (old), lesion is not seen", "is not seen", "atypia ( old ) , lesion"),
        ("Cells: lesion: is not seen", "is not seen", "lesion :"),
        ("(atypia, lesion is not seen)", "is not seen", "atypia , lesion"),
        (
            "No atypia, necrosis or changes consistent with lesion",
            "no",
            "atypia , necrosis or change",
        ),
        ("No cells consistent with lesion", "no", "cell consistent with lesion"),
        ("No atypia, or positive lesion", "no", "atypia , or positive lesion"),
        ("No atypia or, positive lesion", "no", "atypia or"),
        ("No atypia, positive lesion", "no", "atypia"),
        ("No atypia, necrosis, the lesion is present", "no", "atypia , necrosis"),
        ("No (atypia) lesion", "no", "( atypia ) lesion"),
        ("Fine. Lesion is not seen", "is not seen", "lesion"),
        ("Atypia: lesion is not seen", "is not seen", "lesion"),
        ("No atypia lesion is not seen", "is not seen", "atypia lesion"),
        ("Cells but lesion is not seen", "is not seen", "lesion"),
        ("Atypia, lesion cannot be excluded", "cannot be excluded", "lesion"),
        ("Atypia or necrosis, lesion cannot be excluded", "cannot be excluded", "lesion"),
        ("Shows atypia, lesion is not seen", "is not seen", "lesion"),
        ("Atypia present, necrosis, lesion is not seen", "is not seen", "necrosis , lesion"),
        ("Atypia present; necrosis, lesion is not seen", "is not seen", "necrosis , lesion"),
    ],
)
def test_a_scope_ends_where_its_clause_ends(text: str, cue: str, covered: str) -> None:
    assert dict(scopes(text))[cue] == covered


def test_a_cue_behind_a_full_stop_covers_nothing_before_it() -> None:
    assert assertion("Lesion. Is not seen.") is Assertion.AFFIRMED


def owning(text: str, start: int, end: int) -> Contexts:
    """Contexts where the phrase of these tokens holds its own cue."""
    tokens = tokenize(text)
    return Contexts(tokens, [0] * len(tokens), owned=[(start, end)])


def test_a_phrase_that_holds_its_cue_may_be_the_last_word() -> None:
    assert owning("negative for atypia", 0, 3).scopes == []


def test_what_stands_before_a_phrase_that_ends_in_its_cue_is_not_denied() -> None:
    assert owning("lesion atypia not seen", 1, 4).assertion_of(0, 1)[0] is Assertion.AFFIRMED


def test_a_cue_that_is_longer_than_the_phrase_is_its_own() -> None:
    (scope,) = owning("negative for lesion", 0, 1).scopes
    assert (scope.start, scope.end) == (2, 3)


def test_after_a_phrase_that_holds_its_cue_a_comma_begins_something_new() -> None:
    contexts = owning("negative for atypia or necrosis, lesion", 0, 3)
    assert contexts.assertion_of(4, 5)[0] is Assertion.NEGATED
    assert contexts.assertion_of(6, 7)[0] is Assertion.AFFIRMED


def test_a_phrase_is_not_denied_by_the_cue_that_it_begins_with() -> None:
    tokens = tokenize("no lesion")
    assert Contexts(tokens, [0, 0]).assertion_of(0, 2)[0] is Assertion.AFFIRMED


@pytest.mark.parametrize(
    ("text", "start", "denied", "kept"),
    [
        ("negative for atypia (NFA) lesion", 0, 6, 4),
        ("negative for atypia or lesion (old)", 0, 4, None),
        ("(old) negative for atypia (NFA) or lesion", 3, 10, 7),
    ],
)
def test_what_follows_a_phrase_and_the_bracket_that_repeats_it_is_denied(
    text: str, start: int, denied: int, kept: int | None
) -> None:
    contexts = owning(text, start, start + 3)
    assert contexts.assertion_of(denied, denied + 1)[0] is Assertion.NEGATED
    if kept is not None:
        assert contexts.assertion_of(kept, kept + 1)[0] is Assertion.AFFIRMED


def test_the_strongest_of_overlapping_scopes_decides_and_is_named() -> None:
    tokens = tokenize("no possible lesion")
    contexts = Contexts(tokens, [0] * len(tokens))
    assertion, scope = contexts.assertion_of(2, 3)
    assert assertion is Assertion.NEGATED
    assert scope is not None
    assert (scope.cue_start, scope.cue_end) == (0, 1)


def test_a_bracket_that_says_the_same_again_is_passed_only_if_it_closes() -> None:
    tokens = tokenize("negative for atypia (NFA lesion")
    contexts = Contexts(tokens, [0] * len(tokens), owned=[(0, 3)])
    assert contexts.assertion_of(5, 6)[0] is Assertion.NEGATED
