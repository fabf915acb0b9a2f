"""The elements of FHIR R4 and R5 that are read; everything else is left where it is."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, ConfigDict, Field


class _Element(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore")


class Coding(_Element):
    """A code of a code system."""

    system: str = ""
    version: str = ""
    code: str = ""
    display: str = ""


class CodeableConcept(_Element):
    """Words, and codes for them."""

    coding: tuple[Coding, ...] = ()
    text: str = ""

    @property
    def words(self) -> str:
        """The text, else the first display."""
        return self.text or next((c.display for c in self.coding if c.display), "")


class Attachment(_Element):
    """A document in base64; what only has a URL is not fetched."""

    contentType: str = ""  # noqa: N815
    data: str = ""


class Quantity(_Element):
    """A number with its unit."""

    value: float | None = None
    unit: str = ""


class _Valued(_Element):
    code: CodeableConcept = CodeableConcept()
    valueString: str = ""  # noqa: N815
    valueCodeableConcept: CodeableConcept = CodeableConcept()  # noqa: N815
    valueQuantity: Quantity = Quantity()  # noqa: N815
    valueInteger: int | None = None  # noqa: N815
    valueBoolean: bool | None = None  # noqa: N815

    @property
    def value(self) -> str:
        """The value in words; empty if there is none."""
        if self.valueString:
            return self.valueString
        if self.valueCodeableConcept.words:
            return self.valueCodeableConcept.words
        if self.valueQuantity.value is not None:
            return f"{self.valueQuantity.value:g} {self.valueQuantity.unit}".strip()
        if self.valueInteger is not None:
            return str(self.valueInteger)
        if self.valueBoolean is not None:
            return "yes" if self.valueBoolean else "no"
        return ""


class Observation(_Valued):
    """One finding, with its components."""

    component: tuple[_Valued, ...] = ()


class _BodySite(_Element):
    concept: CodeableConcept = CodeableConcept()
    # R4 has the concept itself here, R5 a reference to one beside it
    text: str = ""
    coding: tuple[Coding, ...] = ()


class _Collection(_Element):
    method: CodeableConcept = CodeableConcept()
    bodySite: _BodySite = _BodySite()  # noqa: N815


class Specimen(_Element):
    """What was taken, from where and how."""

    type: CodeableConcept = CodeableConcept()
    collection: _Collection = _Collection()

    @property
    def words(self) -> str:
        """Site, type and method, as far as they are told."""
        site = self.collection.bodySite
        r4 = CodeableConcept(text=site.text, coding=site.coding)
        parts = (site.concept.words or r4.words, self.type.words, self.collection.method.words)
        return ", ".join(dict.fromkeys(part for part in parts if part))


class Narrative(_Element):
    """What a resource says to people, as XHTML."""

    div: str = ""


class DiagnosticReport(_Element):
    """The report; contained resources stay raw until one is read."""

    status: str = ""
    text: Narrative = Narrative()
    code: CodeableConcept = CodeableConcept()
    conclusion: str = ""
    conclusionCode: tuple[CodeableConcept, ...] = ()  # noqa: N815
    presentedForm: tuple[Attachment, ...] = ()  # noqa: N815
    contained: tuple[dict[str, Any], ...] = Field(default=())
