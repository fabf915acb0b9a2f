"""Sets of drawn pictures with their labels, as every command that judges pictures takes them."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from pathlib import Path

from pydantic import BaseModel, ConfigDict

from coin_retrieval.errors import InputError
from coin_retrieval.files import replacing
from coin_retrieval.progress import Progress, silent
from coin_retrieval.prototypes.base import MAX_PICTURES, STAGE
from coin_retrieval.prototypes.drawer import PrototypeDrawer
from coin_retrieval.reports.plain import affirms, read_for_search
from coin_retrieval.tables.cases import MANIFEST, CaseRow
from coin_retrieval.timing import Stopwatch
from coin_retrieval.types import Origin

IMAGES = "images"
_TOGETHER = 16
_LABELS = ("site", "specimen", "stain", "diagnosis", "finding", "report")
_COLUMNS = ("image_path", "case_id", *_LABELS, "origin", "source", "seed", "like")


class DrawnSet(BaseModel):
    """What lies in the folder; ``partly_read`` reports were longer than the generator reads.

    ``undrawable`` reports state what it never learned to draw: there is no picture of them.
    """

    model_config = ConfigDict(frozen=True)

    manifest: str
    generator: str
    seed: int
    reports: int
    pictures: int
    by_finding: dict[str, int]
    partly_read: int
    undrawable: int


def draw_set(
    drawer: PrototypeDrawer,
    cases: Sequence[CaseRow],
    out: Path,
    *,
    n: int,
    seed: int,
    on: Progress = silent,
) -> DrawnSet:
    """Draw ``n`` pictures of each case's report and write ``out/cases.csv``, flagged generated.

    Report i is drawn from seeds ``seed + 64 i`` on: pictures of two reports share no noise, and a
    greater ``n`` later keeps what there is. The pictures of a report are one case, because they
    are no more independent than pictures of a patient; ``like`` is the ``case_id`` that it had.

    A report of what the generator does not know is left out, and counted. Sixteen reports are
    drawn at once, because small batches leave a processor idle. What stops, stops with a manifest
    of what was drawn, and the same call resumes if ``drawer`` keeps its pictures in ``out/images``.

    Args:
        drawer: its cache must lie below ``out``.
        on: told of the reports that lie behind.

    Raises:
        ReportError, InputError, GenerationError: as :meth:`.PrototypeDrawer.draw_planned` does.
        InputError: the directory cannot be written.
    """
    rows: list[dict[str, str]] = []
    partly_read = undrawable = 0
    on(STAGE, 0, len(cases))
    try:
        for start in range(0, len(cases), _TOGETHER):
            read = [
                (number, case, _words(case.report))
                for number, case in enumerate(cases[start : start + _TOGETHER], start)
            ]
            together = [(number, case, text) for number, case, text in read if drawer.knows(text)]
            undrawable += len(read) - len(together)
            planned = [
                drawer.plan(text, n=n, seed=seed + number * MAX_PICTURES)
                for number, _, text in together
            ]
            drawn = drawer.draw_planned([plan for plans in planned for plan in plans], Stopwatch())
            partly_read += sum(bool(plans[0].dropped_text) for plans in planned)
            for i, (number, case, _) in enumerate(together):
                rows += [
                    {
                        "image_path": prototype.path.relative_to(out).as_posix(),
                        "case_id": f"drawn-{number:05d}",
                        **{name: str(getattr(case, name)) for name in _LABELS},
                        "origin": Origin.GENERATED.value,
                        "source": f"{drawer.name} (no patient)",
                        "seed": str(prototype.provenance.seed),
                        "like": case.case_id,
                    }
                    for prototype in drawn[i * n : (i + 1) * n]
                ]
            on(STAGE, start + len(read), len(cases))
    finally:
        # also of what was drawn before an error or Ctrl-C: without it the pictures look real
        _write(out / MANIFEST, rows)
    findings = [row["finding"] for row in rows]
    return DrawnSet(
        manifest=str(out / MANIFEST),
        generator=drawer.name,
        seed=seed,
        reports=len(cases),
        pictures=len(rows),
        by_finding={name: findings.count(name) for name in sorted(set(findings))},
        partly_read=partly_read,
        undrawable=undrawable,
    )


def _write(path: Path, rows: Sequence[dict[str, str]]) -> None:
    """Whole or not at all: the manifest of an earlier run stays until then."""
    try:
        with (
            replacing(path) as aside,
            aside.open("w", newline="", encoding="utf-8") as file,
        ):
            writer = csv.DictWriter(file, _COLUMNS)
            writer.writeheader()
            writer.writerows(rows)
    except OSError as error:
        raise InputError(
            f"the set's manifest cannot be written ({error.strerror})",
            value=str(path),
            expected="a directory that can be created and written",
            remedy="name another directory",
        ) from error


def _words(report: str) -> str:
    """What is drawn of a report: what it affirms, else all of it."""
    return read_for_search(report, whole=not affirms(report))[1].text
