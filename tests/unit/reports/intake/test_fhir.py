from __future__ import annotations

import base64
import io
import json
from typing import Any

import pytest
from reportlab.lib.pdfencrypt import StandardEncryption
from reportlab.pdfgen.canvas import Canvas

from coin_retrieval.errors import ReportError
from coin_retrieval.reports.intake.fhir import MAX_BYTES, read_diagnostic_report
from coin_retrieval.types import DiagnosisCode

SNOMED = "http://snomed.info/sct"


def resource(**elements: Any) -> dict[str, Any]:
    return {
        "resourceType": "DiagnosticReport",
        "status": "final",
        "code": {"coding": [{"system": "http://loinc.org", "code": "33716-2"}]},
        **elements,
    }


def attachment(text: str | bytes, kind: str = "text/plain") -> dict[str, str]:
    data = text.encode() if isinstance(text, str) else text
    return {"contentType": kind, "data": base64.b64encode(data).decode()}


def codes(raw: Any) -> list[str]:
    return [code.code for code in read_diagnostic_report(raw).reading.report.codes]


def test_the_conclusion_is_read() -> None:
    report = read_diagnostic_report(resource(conclusion="Cervix: no HSIL. LSIL.")).reading.report
    assert report.text == "Cervix: no HSIL. LSIL."
    assert [code.code for code in report.codes] == ["LSIL"]


def test_an_attached_text_is_the_report_and_the_conclusion_concludes_it() -> None:
    raw = resource(
        presentedForm=[attachment("%PDF", "application/pdf"), attachment("Thyroid FNA: colloid.")],
        conclusion="Bethesda II",
    )
    report = read_diagnostic_report(raw).reading.report
    assert report.text == "Thyroid FNA: colloid. Conclusion: Bethesda II"
    assert (report.site, report.conclusion) == ("thyroid", "Bethesda II")


def test_a_conclusion_that_the_attached_text_has_is_not_said_twice() -> None:
    raw = resource(presentedForm=[attachment("Thyroid.\nBethesda  II.")], conclusion="Bethesda II.")
    assert read_diagnostic_report(raw).reading.report.text == "Thyroid. Bethesda II."


def test_an_attached_text_is_decoded_by_its_charset() -> None:
    raw = resource(
        presentedForm=[
            attachment("Größe der Zellen".encode("latin-1"), "text/plain; charset=ISO-8859-1")
        ]
    )
    assert read_diagnostic_report(raw).reading.report.text == "Größe der Zellen"


def test_contained_observations_are_findings() -> None:
    raw = resource(
        contained=[
            {
                "resourceType": "Observation",
                "code": {"text": "Background"},
                "valueString": "clean",
                "component": [
                    {
                        "code": {"text": "Adequacy"},
                        "valueCodeableConcept": {"text": "satisfactory"},
                    },
                    {"code": {"text": "Cells"}, "valueQuantity": {"value": 12, "unit": "groups"}},
                    {"code": {"text": "Endocervical cells"}, "valueBoolean": True},
                ],
            },
        ],
        conclusion="NILM",
    )
    assert read_diagnostic_report(raw).reading.report.text == (
        "Background: clean. Adequacy: satisfactory. Cells: 12 groups. Endocervical cells: yes. "
        "Conclusion: NILM"
    )


@pytest.mark.parametrize(
    "body_site",
    [
        {"text": "Pleural cavity"},
        {"coding": [{"display": "Pleural cavity"}]},
        {"concept": {"text": "Pleural cavity"}, "reference": {"reference": "#b"}},
    ],
    ids=["R4 text", "R4 display", "R5"],
)
def test_the_specimen_tells_the_site_in_r4_and_r5(body_site: dict[str, Any]) -> None:
    raw = resource(
        contained=[
            {
                "resourceType": "Specimen",
                "type": {"text": "Effusion (fresh)"},
                "collection": {"bodySite": body_site},
            }
        ],
        conclusion="Positive for malignancy.",
    )
    report = read_diagnostic_report(raw).reading.report
    assert (report.site, [c.code for c in report.codes]) == ("pleural effusion", ["MAL"])


@pytest.mark.parametrize("loinc", ["33717-0", "47528-5"])
def test_the_loinc_code_of_cervical_reports_tells_the_site(loinc: str) -> None:
    coding = {"system": "http://loinc.org", "code": loinc}
    raw = resource(code={"coding": [coding]}, conclusion="Mild dysplasia.")
    report = read_diagnostic_report(raw).reading.report
    assert (report.site, [c.code for c in report.codes]) == ("cervix", ["LSIL"])


def test_the_codings_of_the_conclusion_are_kept_beside_what_is_read() -> None:
    coding = {"system": SNOMED, "version": "2024-01", "code": "112662005", "display": "LSIL"}
    raw = resource(conclusion="LSIL", conclusionCode=[{"coding": [coding], "text": "low grade"}])
    found = read_diagnostic_report(raw)
    assert found.codings == (DiagnosisCode(SNOMED, "2024-01", "112662005"),)
    assert found.reading.report.codes == (
        DiagnosisCode("Bethesda cervix", "2014", "LSIL"),
        *found.codings,
    )


def test_text_bytes_and_mappings_are_the_same_to_it() -> None:
    raw = resource(conclusion="LSIL")
    assert codes(raw) == codes(json.dumps(raw)) == codes(json.dumps(raw).encode()) == ["LSIL"]


PERSONAL = resource(
    id="dr-778812",
    identifier=[{"system": "urn:lab", "value": "CY24-00917"}],
    text={"status": "generated", "div": "<div>Erika Mustermann, narrative only</div>"},
    subject={
        "reference": "Patient/p-4711",
        "display": "Mustermann, Erika",
        "identifier": {"value": "MRN 55667788"},
    },
    performer=[{"display": "Dr. Jane Quill"}, {"display": "Cervical Cytology Laboratory"}],
    contained=[
        {
            "resourceType": "Patient",
            "id": "p1",
            "name": [{"family": "Mustermann", "given": ["Erika", "Zora"]}],
            "birthDate": "1964-08-12",
            "telecom": [{"system": "phone", "value": "+49 30 901820"}],
            "address": [{"line": ["Heidestrasse 17"], "city": "Koeln"}],
        }
    ],
    conclusion=(
        "Ms ERIKA MUSTERMANN (Zora), born 12.08.1964, MRN 55667788, CY24-00917, Heidestrasse 17, "
        "Koeln, +49 30 901820: cervical cytology shows LSIL. Signed Dr. Jane Quill"
    ),
)


def test_no_identifier_of_a_person_is_copied() -> None:
    found = repr(read_diagnostic_report(PERSONAL)).lower()
    for secret in (
        *("erika", "mustermann", "zora", "1964", "55667788", "cy24", "heidestrasse", "koeln"),
        *("901820", "quill", "4711", "778812", "narrative only"),
    ):
        assert secret not in found


def test_the_reports_own_words_stay_when_names_are_struck_out() -> None:
    report = read_diagnostic_report(PERSONAL).reading.report
    assert "cervical cytology shows LSIL" in report.text
    assert (report.site, [c.code for c in report.codes]) == ("cervix", ["LSIL"])


@pytest.mark.parametrize(
    ("raw", "told"),
    [
        ("{", "JSON"),
        ("[" * 100_000, "JSON"),
        (b"\xff\xfe\x00", "JSON"),
        ("[]", "list"),
        ('"text"', "str"),
        ({}, "resourceType"),
        ({"resourceType": "Bundle", "entry": []}, "Bundle"),
        ({"resourceType": "Observation", "valueString": "LSIL"}, "Observation"),
        (resource(), "no text"),
        (resource(conclusion="  "), "no text"),
        (resource(presentedForm=[attachment("%PDF", "application/pdf")]), "PDF cannot be read"),
        (resource(presentedForm=[attachment("RIFF", "image/png")]), "image/png"),
        (resource(text={"status": "empty", "div": "<div> <br/></div>"}), "no text"),
        (resource(presentedForm=[{"contentType": "text/plain", "url": "http://x/y"}]), "no text"),
        (resource(presentedForm=[{"contentType": "text/plain", "data": "&&"}]), "decoded"),
        (resource(presentedForm=[attachment(b"\xff\xfe")]), "decoded"),
        (resource(presentedForm=[attachment("LSIL", "text/plain; charset=klingon")]), "decoded"),
        (resource(presentedForm=[attachment("a" * 200_000)]), "too long"),
        (resource(conclusion="LSIL", status="entered-in-error"), "entered-in-error"),
        (resource(conclusion=["LSIL"]), "conclusion"),
        (resource(conclusion="LSIL", contained=["Patient"]), "contained"),
        (resource(contained=[{"resourceType": "Observation", "valueString": 7}]), "valueString"),
        (" " * (MAX_BYTES + 1), "too long"),
    ],
)
def test_what_is_no_usable_diagnostic_report_is_refused(raw: Any, told: str) -> None:
    with pytest.raises(ReportError, match=told):
        read_diagnostic_report(raw)


def test_an_error_about_the_shape_quotes_no_value() -> None:
    with pytest.raises(ReportError) as caught:
        read_diagnostic_report(resource(conclusion={"secret": "Erika"}))
    assert "Erika" not in repr(caught.value)
    assert caught.value.__cause__ is None
    assert caught.value.__context__ is None


def pdf(*pages: str, password: str = "") -> bytes:
    buffer = io.BytesIO()
    encryption = StandardEncryption(password) if password else None
    canvas = Canvas(buffer, encrypt=encryption)
    for page in pages:
        for number, line in enumerate(page.splitlines()):
            canvas.drawString(72, 720 - 16 * number, line)
        canvas.showPage()
    canvas.save()
    return buffer.getvalue()


def test_the_text_of_a_pdf_is_the_report() -> None:
    data = pdf("Thyroid fine needle aspiration.\nPapillary groups, grooves.", "Bethesda VI.")
    found = read_diagnostic_report(resource(presentedForm=[attachment(data, "application/pdf")]))
    assert "Papillary groups, grooves." in found.reading.report.text
    assert found.reading.report.site == "thyroid"


@pytest.mark.parametrize(
    ("data", "told"),
    [
        (pdf("LSIL", password="secret"), "encrypted"),  # noqa: S106
        (pdf(*["page"] * 21), "21 pages"),
        (pdf(""), "pictures of text"),
        (pdf("LSIL")[:300], "PDF cannot be read"),
        (b"\0" * 1000, "PDF cannot be read"),
    ],
    ids=["encrypted", "long", "scanned", "cut off", "none"],
)
def test_a_pdf_without_text_that_can_be_had_is_told(data: bytes, told: str) -> None:
    form = attachment(data, "application/pdf")
    with pytest.raises(ReportError, match=told):
        read_diagnostic_report(resource(presentedForm=[form]))
    beside = read_diagnostic_report(resource(presentedForm=[form], conclusion="LSIL."))
    assert beside.reading.report.text == "LSIL."
    assert len(beside.unread) == 1


def test_of_several_forms_of_one_report_the_plainest_is_read() -> None:
    forms = [
        attachment(pdf("from the PDF"), "application/pdf"),
        attachment("<p>from the page</p>", "text/html"),
        attachment("from the text"),
    ]
    for kept, text in ((3, "from the text"), (2, "from the page"), (1, "from the PDF")):
        found = read_diagnostic_report(resource(presentedForm=forms[:kept]))
        assert found.reading.report.text == text


def test_a_page_is_read_as_people_see_it() -> None:
    page = (
        "<html><head><title>Lab 7</title><style>p {color: red}</style></head><body>"
        "<script>alert('x')</script><h1>Pap&nbsp;test</h1><table><tr><td>Cells</td><td>HSIL &amp; "
        "more</td></tr></table><p>No <b>glandular</b> lesion.</p></body></html>"
    )
    found = read_diagnostic_report(resource(presentedForm=[attachment(page, "text/html")]))
    assert found.reading.report.text == "Pap test Cells HSIL & more No glandular lesion."


NARRATIVE = (
    '<div xmlns="http://www.w3.org/1999/xhtml"><h3>Patient: Eve Everywoman</h3>'
    "<p>DOB: 1973-05-31; MRN: 444222222</p><p>Phone: +1 (555) 123-4567</p>"
    "<p>Cervical cytology: low grade squamous intraepithelial lesion.</p>"
    "<p>Signed by: Dr. Adam Careful</p></div>"
)


def test_a_report_that_has_nothing_but_its_narrative_is_read_from_it() -> None:
    found = read_diagnostic_report(resource(text={"status": "generated", "div": NARRATIVE}))
    assert found.narrative
    assert [code.code for code in found.reading.report.codes] == ["LSIL"]


def test_what_the_narrative_itself_says_of_persons_is_struck_out_and_counted() -> None:
    found = read_diagnostic_report(resource(text={"status": "generated", "div": NARRATIVE}))
    text = found.reading.report.text
    for secret in ("Eve", "Everywoman", "1973", "444222222", "123-4567", "Adam", "Careful"):
        assert secret not in text
    assert "low grade squamous intraepithelial lesion" in text
    assert found.removed == text.count("[removed]") >= 5


def test_a_narrative_is_left_alone_where_the_report_says_it_otherwise() -> None:
    raw = resource(text={"status": "generated", "div": NARRATIVE}, conclusion="Cervix: HSIL.")
    found = read_diagnostic_report(raw)
    assert (found.narrative, found.reading.report.text) == (False, "Cervix: HSIL.")


@pytest.mark.parametrize(
    "words",
    [
        "Nuclear size ratio 2:1; chromatin: coarse.",
        "Cell diameter 12-15 um, 3-4 nucleoli.",
        "The name of this pattern is follicular.",
        "Bethesda 2023: AUS, with a Ki-67 index of about 20 %.",
    ],
)
def test_the_words_of_reports_are_no_persons(words: str) -> None:
    found = read_diagnostic_report(resource(conclusion=words))
    assert found.reading.report.text == words
