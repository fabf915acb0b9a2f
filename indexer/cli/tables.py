"""What ``coin-index`` answers: tables for people, objects for programs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from coin_retrieval import factory
from coin_retrieval.archive import ArchiveManifest
from coin_retrieval.archive.layout import MANIFEST, NOTES, SKIPPED
from coin_retrieval.archive.manifest import check_sizes, read_manifest
from coin_retrieval.archive.measured.calibration import CloseMatch
from coin_retrieval.archive.opening import open_layout
from coin_retrieval.archive.verify import Finding
from coin_retrieval.encoding.showing import how_shown
from coin_retrieval.search.calibration_use import images_notice
from coin_retrieval.search.judging.closeness import report_threshold
from coin_retrieval.tables.cases import IDENTITIES
from indexer.building import BuildReport
from indexer.upgrading import UpgradeReport

_NAMES = frozenset({"case_id", *IDENTITIES})
_VALUES_SHOWN = 8
_FINDINGS_SHOWN = 20


def report_object(report: BuildReport, archive: Path) -> dict[str, Any]:
    """A build's result, JSON-ready."""
    return {
        "archive": str(archive),
        "version": report.manifest.version,
        "embedded": report.embedded,
        "reused": report.reused,
        "counts": report.manifest.counts.model_dump(),
        "index_kind": report.manifest.index_kind,
        "measured_recall": report.manifest.model_dump(mode="json")["measured_recall"],
        "encoder": asdict(report.manifest.encoder),
        "demonstration": report.manifest.demonstration,
        "skipped_file": str(report.folder / SKIPPED),
        "notes_file": str(report.folder / NOTES),
        "warnings": list(report.warnings),
        "run": report.run.model_dump(mode="json"),
    }


def show_report(report: BuildReport, archive: Path) -> None:
    """A build's result for people."""
    console = Console(soft_wrap=True, highlight=False)
    for warning in report.warnings:
        console.print(f"Warning: {warning}", style="yellow", markup=False)
    console.print(_table(report.manifest))
    counts = report.manifest.counts
    console.print(
        f"{archive}: version {report.manifest.version} in {report.run.elapsed_s:.0f} s; "
        f"embedded {report.embedded}, reused {report.reused}",
        markup=False,
    )
    run = report.run
    busy = run.encoding_s / max(run.elapsed_s, 1e-3)
    console.print(
        f"{run.rows:,} rows at {run.rows_per_s:.3g} a second, the encoder busy {busy:.0%} of the "
        f"time; {run.cpu_s:,.0f} s of processor time, {run.peak_memory_mb:,} MB at most; "
        f"written down in {report.folder.parents[1] / 'runs'}",
        markup=False,
    )
    if counts.skipped:
        console.print(
            f"{counts.skipped} skipped, listed in {report.folder / SKIPPED}",
            style="yellow",
            markup=False,
        )
    if counts.duplicates or counts.repeated:
        console.print(
            f"{counts.duplicates} duplicates merged, {counts.repeated} pictures under several "
            f"cases, listed in {report.folder / NOTES}",
            markup=False,
        )


def info_object(archive: Path) -> dict[str, Any]:
    """The manifest, and each field's values with their counts of images."""
    manifest = _manifest(archive)
    return {
        "archive": str(archive),
        # the vectors of means are for machines that read the file itself
        "manifest": manifest.model_dump(
            mode="json", exclude={"real_mean": True, "calibration": {"fusion": {"means"}}}
        ),
        "notices": list(images_notice(manifest)),
        "fields": _fields(archive, manifest),
    }


def show_info(archive: Path) -> None:
    """The same for people."""
    console = Console(soft_wrap=True, highlight=False)
    manifest = _manifest(archive)
    console.print(_table(manifest))
    fields = Table("field", "values", "most frequent", title="What can be filtered by (--where)")
    for field, values in _fields(archive, manifest).items():
        shown = ", ".join(f"{value} ({n})" for value, n in list(values.items())[:_VALUES_SHOWN])
        more = ", …" if len(values) > _VALUES_SHOWN else ""
        fields.add_row(_plain(field), str(len(values)), _plain(shown + more))
    console.print(fields)


def findings_object(archive: Path, findings: Sequence[Finding]) -> dict[str, Any]:
    """The findings, JSON-ready."""
    errors = sum(finding.severity == "error" for finding in findings)
    return {
        "archive": str(archive),
        "ok": not errors,
        "errors": errors,
        "warnings": len(findings) - errors,
        "findings": [asdict(finding) for finding in findings],
    }


def show_findings(archive: Path, findings: Sequence[Finding]) -> None:
    """The findings for people: errors first, and not more than fit a screen."""
    console = Console(soft_wrap=True, highlight=False)
    ordered = sorted(findings, key=lambda finding: finding.severity)
    for finding in ordered[:_FINDINGS_SHOWN]:
        style = "bold red" if finding.severity == "error" else "yellow"
        console.print(
            f"{finding.severity}: {finding.subject}: {finding.problem}", style=style, markup=False
        )
    if len(ordered) > _FINDINGS_SHOWN:
        console.print(f"… and {len(ordered) - _FINDINGS_SHOWN} more (--json lists all)")
    errors = sum(finding.severity == "error" for finding in findings)
    console.print(
        f"{archive}: {errors} errors, {len(findings) - errors} warnings"
        if findings
        else f"{archive}: whole",
        style="bold red" if errors else "green",
        markup=False,
    )


def upgrade_object(report: UpgradeReport, archive: Path) -> dict[str, Any]:
    """An upgrade's result, JSON-ready."""
    return {
        "archive": str(archive),
        "version": report.manifest.version,
        "from_schema": report.from_schema,
        "schema": report.manifest.schema_version,
        "upgraded": report.upgraded,
    }


def show_upgrade(report: UpgradeReport, archive: Path) -> None:
    """An upgrade's result for people."""
    version, schema = report.manifest.version, report.manifest.schema_version
    said = (
        f"version {version}, schema {report.from_schema} → {schema}; the version before stays"
        if report.upgraded
        else f"version {version} has schema {schema} already"
    )
    Console(soft_wrap=True, highlight=False).print(f"{archive}: {said}", markup=False)


def _manifest(archive: Path) -> ArchiveManifest:
    layout = open_layout(archive)
    manifest = read_manifest(layout.published() / MANIFEST)
    check_sizes(layout, manifest)
    return manifest


def _fields(archive: Path, manifest: ArchiveManifest) -> dict[str, dict[str, int]]:
    """Without opening the store: it need not load FAISS to say what the archive holds."""
    with factory.open_records(archive, manifest) as catalog:
        return {field: catalog.values(field) for field in catalog.fields() if field not in _NAMES}


def _table(manifest: ArchiveManifest) -> Table:
    counts = manifest.counts
    table = Table("", "", show_header=False, title=f"Archive version {manifest.version}")
    rows = {
        "rows": f"{counts.rows:,} = {counts.images:,} images + {counts.skipped:,} skipped "
        f"+ {counts.duplicates:,} duplicates",
        "cases": f"{counts.cases:,}",
        "not real": f"{counts.generated:,} generated, {counts.translated:,} translated",
        "encoder": str(manifest.encoder),
        "index": " by ".join(filter(None, (manifest.index_kind, manifest.index_library))),
        "measured recall": _recall(manifest),
        "created": f"{manifest.created_at:%Y-%m-%d %H:%M} UTC, {manifest.program}",
        "sources": "\n".join(
            f"{source.path} ({source.rows:,} rows)" for source in manifest.sources
        ),
    }
    encoder = manifest.encoder_settings
    if how := how_shown(encoder.stain_map, getattr(encoder, "margin", 0.0)):
        rows["pictures shown with"] = how
    if manifest.where:
        rows["where"] = ", ".join(f"{f} = {' or '.join(v)}" for f, v in manifest.where.items())
    if manifest.own_neighbours is not None:
        rows["own neighbours"] = _close_match(manifest.own_neighbours, "pictures")
    threshold = report_threshold(manifest)
    rows["reports"] = _close_match(threshold, "reports") if threshold else "closeness not judged"
    rows["calibration"] = _calibration(manifest)
    if manifest.demonstration:
        rows["demonstration"] = "no patients: every picture was drawn"
    for label, value in rows.items():
        table.add_row(label, _plain(value))
    return table


def _recall(manifest: ArchiveManifest) -> str:
    recall = manifest.measured_recall
    if recall is None:
        return "1, exact"
    kinds = {
        "pictures": recall.images,
        "texts": recall.texts,
        "drawn pictures": recall.prototypes,
    }
    found = (f"{value:.3f} for {kind}" for kind, value in kinds.items() if value is not None)
    return f"@{recall.k}: {', '.join(found)}; searched {recall.width:g} times as widely as set"


def _calibration(manifest: ArchiveManifest) -> str:
    found = manifest.calibration
    if found is None:
        return "none: coin calibrate finds the best way to search"
    ways = ", ".join(f"{name} {value:.3f}" for name, value in found.figures.items())
    fusion = found.fusion
    on = [name for name in ("centring", "shift") if getattr(fusion, name)]
    lines = [
        f"mode {found.mode.value}; fused: text {fusion.text_weight:g}, {fusion.method} of "
        f"{found.prototypes} prototypes{''.join(f', {name}' for name in on)}",
        f"macro P@10, cross-validated: {ways}",
        f"on {found.queries} queries by {found.by}, {found.images:,} images, "
        f"{found.created_at:%Y-%m-%d}, generator {found.generator_name or 'none'}",
        *images_notice(manifest),
    ]
    return "\n".join(lines)


def _close_match(found: CloseMatch, what: str) -> str:
    return (
        f"no close match below {found.threshold:.3f} "
        f"(falsely for {found.false_alarm_words} of {what} that have one)"
    )


def _plain(text: str) -> Any:
    """Text that comes from files is never markup."""
    from rich.text import Text

    return Text(text)
