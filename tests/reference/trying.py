"""The reports that try the program, and what a cytologist expects of a search for each.

``trying_open.yaml`` serves development. ``trying_sealed.yaml`` was written before anything was
tuned on such reports and is judged once; its digest stands here, so that a change is noticed.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Literal

import yaml
from pydantic import BaseModel, ConfigDict

HERE = Path(__file__).parent
OPEN = HERE / "trying_open.yaml"
SEALED = HERE / "trying_sealed.yaml"
SEALED_SHA256 = "f010fca3ed5169d846f299d5723ae72b72e8e40c818c66a8917197bde33c073a"

Stratum = Literal[
    "negated",
    "historical",
    "set_aside",
    "long",
    "misspelt",
    "other_language",
    "foreign_site",
    "mixed",
]
Because = Literal["negated", "historical", "other_person", "adequacy", "advice"]


class Strict(BaseModel):
    model_config = ConfigDict(strict=True, frozen=True, extra="forbid")


class LeftOut(Strict):
    """A part of a report that must not be searched, and why."""

    text: str
    because: Because


class TryingReport(Strict):
    """A report with what is expected; the fields are explained at the head of either file."""

    id: str
    stratum: Stratum
    report: str
    searched: list[str]
    left_out: list[LeftOut]
    site: str
    archive_has_site: bool
    relevant: list[str]
    not_relevant: list[str]
    close: Literal["yes", "no", "either"]
    without_negations: str
    note: str


class TryingSet(Strict):
    """One file: ``archive`` is site → diagnosis → findings, all that expectations may name."""

    archive: Mapping[str, Mapping[str, list[str]]]
    reports: list[TryingReport]

    def findings(self, label: str) -> frozenset[str]:
        """The findings that a label stands for: its own where it is a diagnosis, else itself."""
        diagnoses = {d: f for site in self.archive.values() for d, f in site.items()}
        known = {finding for findings in diagnoses.values() for finding in findings}
        if label in diagnoses:
            return frozenset(diagnoses[label])
        return frozenset({label} & known)


def read_trying(path: Path) -> TryingSet:
    """One of the two files."""
    return TryingSet.model_validate(yaml.safe_load(path.read_text(encoding="utf-8")))


def digest(path: Path) -> str:
    """SHA-256 of a file, in hexadecimal digits."""
    return hashlib.sha256(path.read_bytes()).hexdigest()
