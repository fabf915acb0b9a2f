"""FHIR R4 and R5 DiagnosticReport (JSON) → what a report says, without the patient.

Read are ``conclusion``, ``presentedForm`` (plain text, HTML, the text of a PDF), the values of
contained Observations, the contained Specimen, and the codings of ``conclusionCode``; the
narrative (``text.div``) only where there is nothing else, since it is made of them for people. Who
the patient is and who signed is not read, and what the resource says about them is struck out.
Source: https://hl7.org/fhir/R4/diagnosticreport.html, https://hl7.org/fhir/R5/diagnosticreport.html
"""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any, NoReturn, TypeVar

from pydantic import BaseModel, ValidationError

from coin_retrieval.errors import ReportError
from coin_retrieval.reports.intake.documents import PDF, PLAIN, READ, text_of, text_of_markup
from coin_retrieval.reports.intake.fhir_models import (
    Attachment,
    DiagnosticReport,
    Observation,
    Specimen,
)
from coin_retrieval.reports.intake.pseudonyms import (
    STRUCK_OUT,
    identifiers_in,
    strike_out,
    strike_out_labelled,
)
from coin_retrieval.reports.lexicons import load_sites
from coin_retrieval.reports.normalise import MAX_CHARACTERS
from coin_retrieval.reports.reading import Reading, read_closely
from coin_retrieval.reports.sites import names_a_specimen
from coin_retrieval.reports.words import tokenize
from coin_retrieval.types import DiagnosisCode

MAX_BYTES = 16 * 2**20
_REMEDY = "give one DiagnosticReport of FHIR R4 or R5 as JSON"
_UNUSABLE = frozenset({"entered-in-error", "cancelled"})
_LOINC = "http://loinc.org"

E = TypeVar("E", bound=BaseModel)


@dataclass(frozen=True, slots=True)
class FhirReading:
    """What was read from the texts of a resource, and the codings that it carries itself.

    ``reading.report.codes`` has both: the categories read, then the codings. ``removed`` is how
    often something about a person was struck out, ``narrative`` whether only that could be read,
    ``unread`` are attachments that could not be.
    """

    reading: Reading
    codings: tuple[DiagnosisCode, ...]
    removed: int
    narrative: bool
    unread: tuple[str, ...]


def read_diagnostic_report(resource: str | bytes | Mapping[str, Any]) -> FhirReading:
    """Read a DiagnosticReport; its text is composed of specimen, findings and conclusion.

    Raises:
        ReportError: no JSON, another resource, a report entered in error or cancelled, an
            attachment that cannot be decoded, or no text in it.
    """
    raw = _parse(resource) if isinstance(resource, str | bytes) else resource
    report = _validate(raw)
    composed, narrative, unread = _compose(report)
    text = strike_out_labelled(strike_out(composed, identifiers_in(raw)))
    reading = read_closely(text)
    codings = tuple(
        dict.fromkeys(
            DiagnosisCode(coding.system or concept.text, coding.version, coding.code)
            for concept in report.conclusionCode
            for coding in concept.coding
            if coding.code
        )
    )
    codes = tuple(dict.fromkeys((*reading.report.codes, *codings)))
    whole = replace(reading, report=replace(reading.report, codes=codes))
    return FhirReading(whole, codings, text.count(STRUCK_OUT), narrative, tuple(unread))


def _parse(resource: str | bytes) -> Mapping[str, Any]:
    if len(resource) > MAX_BYTES:
        raise ReportError(
            "the FHIR resource is too long",
            value=f"{len(resource):,}",
            expected=f"at most {MAX_BYTES:,} bytes",
            remedy="leave out attachments that are no text",
        )
    try:
        parsed = json.loads(resource)
    except (ValueError, RecursionError) as error:
        # the error holds the whole document: it is not kept as a cause
        raise ReportError(
            f"the FHIR resource is no JSON ({type(error).__name__})",
            expected="a JSON object in UTF-8",
            remedy=_REMEDY,
        ) from None
    if not isinstance(parsed, dict):
        _refuse(f"a JSON {type(parsed).__name__}")
    return parsed


def _validate(raw: Mapping[str, Any]) -> DiagnosticReport:
    kind = raw.get("resourceType")
    if kind != "DiagnosticReport":
        _refuse(f"resourceType {str(kind)[:40]!r}")
    report = _shaped(DiagnosticReport, raw)
    if report.status in _UNUSABLE:
        raise ReportError(
            "the report must not be used",
            value=f"status {report.status}",
            expected="a report that stands, such as final or amended",
            remedy="fetch the report that replaced it",
        )
    return report


def _shaped(model: type[E], raw: Mapping[str, Any]) -> E:
    try:
        return model.model_validate(raw)
    except ValidationError as error:
        # the values may be a patient's: only the places are told, and no cause is kept
        places = [".".join(map(str, e["loc"])) + f" ({e['type']})" for e in error.errors()[:5]]
    raise ReportError(
        f"the {model.__name__} does not have FHIR's shape",
        value=", ".join(places),
        expected="elements as FHIR R4 or R5 define them",
        remedy="validate the resource where it is made",
    )


def _refuse(value: str) -> NoReturn:
    raise ReportError(
        "this is no DiagnosticReport",
        value=value,
        expected='"resourceType": "DiagnosticReport"',
        remedy="take the DiagnosticReport out of its Bundle; " + _REMEDY,
    )


def _compose(report: DiagnosticReport) -> tuple[str, bool, list[str]]:
    """The report's text, whether it is the narrative's, and attachments that cannot be read."""
    unread: list[str] = []
    documents = _documents(report, unread)
    findings = documents or list(_observed(report))
    conclusion = report.conclusion.strip()
    body = "\n".join(part.strip() for part in findings if part.strip())
    if " ".join(conclusion.split()) in " ".join(body.split()):
        conclusion = ""
    narrative = "" if body or conclusion else text_of_markup(report.text.div)
    if not body and not conclusion and not narrative:
        attached = sorted({form.contentType or "no content type" for form in report.presentedForm})
        raise ReportError(
            "the DiagnosticReport has no text",
            value=f"attachments: {', '.join(attached)}" if attached else "no attachment",
            expected="a conclusion, contained Observations, a narrative, or a presentedForm of "
            + ", ".join(READ),
            remedy="let the laboratory system send the report's text with the resource",
        )
    specimen = _specimen(report)
    parts = [f"({specimen})" if specimen else "", body or narrative]
    parts.append(f"Conclusion: {conclusion}" if conclusion and body else conclusion)
    return "\n".join(part for part in parts if part), bool(narrative), unread


def _documents(report: DiagnosticReport, unread: list[str]) -> list[str]:
    """The attached documents: the plain texts, else the HTML, else the PDFs.

    They are the same report in several forms. A PDF that cannot be read is added to ``unread``
    where something else says what the report says.
    """
    spoken = bool(report.conclusion.strip())
    for kind in READ:
        found = []
        for form in report.presentedForm:
            if not form.data or form.contentType.partition(";")[0].strip().lower() != kind:
                continue
            try:
                found.append(_document(form))
            except ReportError as error:
                if kind != PDF or not spoken:
                    raise
                unread.append(f"{kind}: {error.value}")
        if any(text.strip() for text in found):
            return found
    return []


def _document(form: Attachment) -> str:
    if form.contentType.startswith(PLAIN) and len(form.data) > 8 * MAX_CHARACTERS:
        raise ReportError(
            "the report's attachment is too long",
            value=f"{len(form.data):,} characters of base64",
            expected=f"a text of at most {MAX_CHARACTERS:,} characters",
            remedy="give the report of one case",
        )
    try:
        data = base64.b64decode("".join(form.data.split()), validate=True)
    except binascii.Error as error:
        raise ReportError(
            "the report's attachment cannot be decoded",
            value=type(error).__name__,
            expected="base64",
            remedy="correct presentedForm.data",
        ) from None
    return text_of(data, form.contentType) or ""


def _observed(report: DiagnosticReport) -> Iterator[str]:
    for resource in report.contained:
        if resource.get("resourceType") == "Observation":
            observation = _shaped(Observation, resource)
            for part in (observation, *observation.component):
                value = part.value
                if value:
                    label = part.code.words
                    yield _sentence(f"{label}: {value}" if label else value)


def _sentence(text: str) -> str:
    text = text.strip()
    return text if text.endswith((".", "!", "?")) else text + "."


def _specimen(report: DiagnosticReport) -> str:
    """Words for a header that names the specimen; empty if none of the resource's does."""
    specimens = [
        _shaped(Specimen, r) for r in report.contained if r.get("resourceType") == "Specimen"
    ]
    words = [s.words for s in specimens] + [report.code.words]
    codes = {coding.code for coding in report.code.coding if coding.system == _LOINC}
    words += [site for site, known in load_sites().sites.items() if codes & set(known.loinc)]
    clean = [" ".join(w.replace("(", " ").replace(")", " ").split())[:80] for w in words]
    return next((w for w in clean if names_a_specimen(tokenize(w))), "")
