"""Strike out of a text what a FHIR resource says about persons: names, numbers, dates."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

STRUCK_OUT = "[removed]"
_LEAST_CHARACTERS = 3
_PERSONS = frozenset({"Patient", "Practitioner", "PractitionerRole", "RelatedPerson", "Person"})
_REFERENCES = ("subject", "performer", "resultsInterpreter", "encounter")
_DATE = re.compile(r"(\d{4})-(\d{2})-(\d{2})")
_LABELLED = re.compile(
    r"""(?P<label>
        \b(?:patient(?:\s+(?:name|id|number))?|(?:sur|first|last|family|given)?\s?name|dob|d\.o\.b\.
        |date\s+of\s+birth|birth\s*date|born|mrn|medical\s+record(?:\s+(?:no|number))?|nhs(?:\s+(?:no|number))?
        |ssn|insurance(?:\s+(?:no|number))?|accession(?:\s+(?:no|number))?|case\s+(?:no|number)
        |address|phone|telephone|tel|fax|e-?mail|physician|signed\s+(?:out\s+)?by|reported\s+by
        |referring\s+doctor|pathologist|cytotechnologist|screener)
        \s*\.?\s*[:\#=]\s*)
        (?!\[removed\])[^\n;|]{1,120}?(?=\s*(?:[\n;|]|$|\s{2,}|,?\s+\b[A-Z][\w ]{0,24}:))""",
    re.IGNORECASE | re.VERBOSE,
)
_ADDRESSES = re.compile(
    r"[\w.+-]+@[\w-]+\.[\w.]+|(?<!\w)\+?\(?\d{2,4}\)?[ /-]\d{3,4}[ -]?\d{3,5}(?!\w)"
)
# keys below which no person is named
_NAMELESS = frozenset({"system", "use", "type", "assigner", "resourceType", "extension", "period"})


def identifiers_in(resource: Mapping[str, Any]) -> frozenset[str]:
    """Every string by which the patient, the report or a person it contains can be recognised.

    Names count word by word too, and dates of birth in the orders in which they are written.
    """
    contained = resource.get("contained")
    parts = [resource, *(contained if isinstance(contained, list) else ())]
    found = {text for part in parts if isinstance(part, Mapping) for text in _about(part)}
    return frozenset(text for text in found if len(text) >= _LEAST_CHARACTERS)


def strike_out(text: str, identifiers: frozenset[str]) -> str:
    """The text with ``[removed]`` for every identifier, longest first, in any letter case."""
    if not identifiers:
        return text
    ordered = sorted(identifiers, key=lambda i: (-len(i), i))
    pattern = "|".join(re.escape(identifier) for identifier in ordered)
    return re.sub(rf"(?<!\w)(?:{pattern})(?!\w)", STRUCK_OUT, text, flags=re.IGNORECASE)


def strike_out_labelled(text: str) -> str:
    """The text with ``[removed]`` for what its own labels say is about a person.

    A narrative or a PDF carries its header along: ``Patient: …``, ``DOB: …``, ``MRN 12345``.
    """
    text = _LABELLED.sub(lambda found: f"{found['label']}{STRUCK_OUT}", text)
    return _ADDRESSES.sub(STRUCK_OUT, text)


def _about(part: Mapping[str, Any]) -> Iterator[str]:
    for text in _strings(part.get("identifier")):
        yield text
        yield from (word for word in text.split() if any(c.isdigit() for c in word))
    for name in _REFERENCES:
        # a performer can be a laboratory, whose name has words that reports need
        yield from _names(part.get(name)) if name == "subject" else _strings(part.get(name))
    if part.get("resourceType") in _PERSONS:
        yield from _names(part.get("name"))
        for name in ("telecom", "address"):
            yield from _strings(part.get(name))
        for date in _strings(part.get("birthDate")):
            yield from _written(date)


def _names(value: Any) -> Iterator[str]:
    for text in _strings(value):
        yield text
        yield from (word.strip(".,;") for word in text.split())


def _written(date: str) -> Iterator[str]:
    yield date
    match = _DATE.fullmatch(date)
    if match:
        year, month, day = match.groups()
        for first, second in ((day, month), (month, day)):
            for mark in (".", "/", "-"):
                yield mark.join((first, second, year))
                yield mark.join((first.lstrip("0"), second.lstrip("0"), year))
        yield year + month + day


def _strings(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value.strip()
    elif isinstance(value, list):
        for item in value:
            yield from _strings(item)
    elif isinstance(value, Mapping):
        for key, item in value.items():
            if key not in _NAMELESS:
                yield from _strings(item)
