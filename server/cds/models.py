"""What a CDS client sends and gets, as CDS Hooks 2.0 has it; what is not read is let be."""

from __future__ import annotations

from typing import Annotated, Any, Literal
from uuid import UUID

from pydantic import AwareDatetime, BaseModel, BeforeValidator, ConfigDict, Field

HOOK = "patient-view"
SERVICE = "similar-cytology"
_PREFETCHED = "report"
_REASONS = "urn:coin-retrieval:override-reasons"


def _in_words(value: Any) -> Any:
    """A time as JSON has it; a number could be seconds of anything."""
    if not isinstance(value, str):
        raise ValueError("a date and time as text is expected")
    return value


class _In(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore")


class _Out(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Context(_In):
    """Whose chart is open, and for whom."""

    userId: Annotated[str, Field(min_length=1, max_length=500)]  # noqa: N815
    patientId: Annotated[str, Field(min_length=1, max_length=500)]  # noqa: N815


class HookRequest(_In):
    """A call of the service."""

    hook: Literal["patient-view"]
    hookInstance: UUID  # noqa: N815
    context: Context
    prefetch: dict[str, Any] = Field(default_factory=dict)

    @property
    def report(self) -> dict[str, Any] | None:
        """The prefetched DiagnosticReport, out of its Bundle; ``None`` where there is none."""
        found = self.prefetch.get(_PREFETCHED)
        if not isinstance(found, dict):
            return None
        if found.get("resourceType") != "Bundle":
            return found
        entries = found.get("entry")
        resources = [
            entry["resource"]
            for entry in (entries if isinstance(entries, list) else ())
            if isinstance(entry, dict) and isinstance(entry.get("resource"), dict)
        ]
        reports = [one for one in resources if one.get("resourceType") == "DiagnosticReport"]
        return reports[0] if reports else None


class Service(_Out):
    """What is offered."""

    hook: str = HOOK
    id: str = SERVICE
    title: str = "Similar cytology cases"
    description: str = (
        "Real reference cases that look like what the patient's newest cytology report describes. "
        "Decision support, not a diagnosis."
    )
    prefetch: dict[str, str] = {
        # CP: cytopathology, of HL7's diagnostic service sections
        _PREFETCHED: "DiagnosticReport?subject={{context.patientId}}&category="
        "http://terminology.hl7.org/CodeSystem/v2-0074|CP&_sort=-date&_count=1"
    }


class Services(_Out):
    """The answer of discovery."""

    services: tuple[Service, ...] = (Service(),)


class Source(_Out):
    """Who says it."""

    label: str


class Link(_Out):
    """Where more is to be seen."""

    label: str
    url: str
    type: Literal["absolute"] = "absolute"


class Coding(_Out):
    """Why somebody did not follow a card."""

    code: str
    system: str = _REASONS
    display: str


REASONS = (
    Coding(code="not-similar", display="The cases do not look like this one"),
    Coding(code="wrong-site", display="The cases are of another site"),
    Coding(code="not-needed", display="Not needed for this patient"),
)


class Card(_Out):
    """What the doctor sees."""

    uuid: str
    summary: Annotated[str, Field(max_length=140)]
    detail: str
    indicator: Literal["info", "warning", "critical"] = "info"
    source: Source
    links: tuple[Link, ...]
    overrideReasons: tuple[Coding, ...] = REASONS  # noqa: N815


class Cards(_Out):
    """The answer of the service."""

    cards: tuple[Card, ...]


class _Reason(_In):
    code: Annotated[str, Field(max_length=100)]


class _Override(_In):
    # what a user writes there may name the patient: it is not read
    reason: _Reason | None = None


class CardFeedback(_In):
    """What became of one card."""

    card: UUID
    outcome: Literal["accepted", "overridden"]
    overrideReason: _Override | None = None  # noqa: N815
    outcomeTimestamp: Annotated[AwareDatetime, BeforeValidator(_in_words)]  # noqa: N815


class Feedback(_In):
    """What became of cards."""

    feedback: Annotated[tuple[CardFeedback, ...], Field(min_length=1, max_length=100)]
