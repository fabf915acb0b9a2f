"""Manifests of earlier programs, brought to what this one reads: one small step a schema."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

SCHEMA_VERSION = 4
"""Raised when an older program could misread what this one writes, with a step that leads here."""

Payload = dict[str, Any]


def to_present(payload: Mapping[str, Any]) -> Payload:
    """A manifest's JSON of any schema up to the present one, as the present one has it."""
    present = dict(payload)
    for schema in range(int(payload["schema_version"]), SCHEMA_VERSION):
        present = _STEPS[schema](present) | {"schema_version": schema + 1}
    return present


def _name_means_and_calibration(manifest: Payload) -> Payload:
    """To schema 2: what is measured of pictures and searches; all of it may be absent."""
    return manifest


def _name_parts(manifest: Payload) -> Payload:
    """To schema 3: a store's parameters and a catalog's settings, and where both of them lie."""
    return manifest | {
        "store": {"backend": "faiss", "index": {"kind": manifest["store"]["kind"]}},
        "store_location": {"files": ["vectors.faiss"]},
        "catalog": {"backend": "sqlite"},
        "catalog_location": {"files": ["catalog.sqlite"]},
    }


def _name_patients(manifest: Payload) -> Payload:
    """To schema 4: catalogs may name patients and slides, pseudonyms perhaps; all may be absent."""
    return manifest


_STEPS: dict[int, Callable[[Payload], Payload]] = {
    1: _name_means_and_calibration,
    2: _name_parts,
    3: _name_patients,
}
"""From which schema each step leads to the next."""
