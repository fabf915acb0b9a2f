"""Manifests of earlier programs, brought to what this one reads: one small step a schema."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

SCHEMA_VERSION = 5
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


def _name_segments(manifest: Payload) -> Payload:
    """To schema 4: what a version's vectors and records lie in; of earlier ones in its own folder.

    How close its pictures were to each other was measured on the whole of it. Catalogs may name
    patients and slides, pseudonyms perhaps; all may be absent. A report's closeness is another
    score now: thresholds of the old one go.
    """
    manifest = dict(manifest)
    store, catalog = manifest.pop("store_location"), manifest.pop("catalog_location")
    files = manifest.pop("files")
    own = {*store["files"], *catalog["files"]}
    segment = {
        "folder": f"versions/{manifest['version']}",
        "rows": manifest["counts"]["images"],
        "store": store | {"parsed": store["files"]},
        "catalog": catalog,
        "files": {name: sealed for name, sealed in files.items() if name in own},
    }
    measured = manifest["counts"]["images"] if manifest.get("real_mean") else 0
    if manifest.get("calibration"):
        manifest["calibration"] = manifest["calibration"] | {"close_match": None}
    return manifest | {
        "change": {"command": "build", "added": manifest["counts"]["images"]},
        "segments": [segment],
        "files": {name: sealed for name, sealed in files.items() if name not in own},
        "measured_images": measured,
    }


def _name_lookups(manifest: Payload) -> Payload:
    """To schema 5: what records are looked up by may lie beside a catalog's database."""
    return manifest


_STEPS: dict[int, Callable[[Payload], Payload]] = {
    1: _name_means_and_calibration,
    2: _name_parts,
    3: _name_segments,
    4: _name_lookups,
}
"""From which schema each step leads to the next."""
