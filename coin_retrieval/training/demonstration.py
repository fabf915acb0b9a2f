"""The demonstration cases: an archive to try the program on, in which nobody was ever a patient."""

from __future__ import annotations

import csv
import io
from pathlib import Path

import numpy as np
from PIL import Image
from rich.progress import track

from coin_retrieval.prototypes.base import Prototyper
from coin_retrieval.tables.cases import CaseRow
from coin_retrieval.types import Origin, ReportSource, RgbImage
from coin_retrieval.wordings.captions import compose_report, load_lexicon

_COLUMNS = (
    "image_path",
    "case_id",
    "site",
    "specimen",
    "stain",
    "diagnosis",
    "finding",
    "report",
    "origin",
    "source",
)
_TRIES = 20


def draw_demonstration(generator: Prototyper, out: Path, *, per_finding: int, seed: int) -> Path:
    """Draw ``per_finding`` pictures of each finding that the generator knows, each from its report.

    Returns:
        The manifest, ``out/cases.csv``; its ``origin`` column says ``generated`` throughout.
    """
    (out / "images").mkdir(parents=True, exist_ok=True)
    random = np.random.default_rng(seed)
    rows = []
    known = [finding for finding in sorted(load_lexicon().findings) if _knows(generator, finding)]
    for number, finding in enumerate(track(known, "drawing")):
        for index in range(per_finding):
            rows.append(_draw(generator, out, finding, number * per_finding + index, random))
    manifest = out / "cases.csv"
    with manifest.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, _COLUMNS)
        writer.writeheader()
        writer.writerows(rows)
    return manifest


def _named(finding: str) -> str:
    """Site and finding: a vague report may be drawn as another site's cell."""
    words = load_lexicon().findings[finding]
    return f"({words.site}, {words.specimen}) {words.names[0]}."


def _knows(generator: Prototyper, finding: str) -> bool:
    return generator.knows(ReportSource(_named(finding)))


def _draw(
    generator: Prototyper, out: Path, finding: str, number: int, random: np.random.Generator
) -> dict[str, str]:
    case_id = f"demo-{number:04d}"
    words = load_lexicon().findings[finding]
    row = CaseRow(
        Path(f"images/{case_id}.webp"),
        case_id,
        site=words.site,
        specimen=words.specimen,
        stain=words.stain,
        diagnosis=words.diagnosis,
        finding=finding,
    )
    composed = (f"{_named(finding)} {compose_report(row, random)}" for _ in range(_TRIES))
    report = next((r for r in composed if generator.knows(ReportSource(r))), _named(finding))
    (sample,) = generator.draw(generator.plan(ReportSource(report), n=1, seed=number))
    (out / row.image_path).write_bytes(_webp(sample.image))
    return {
        "image_path": row.image_path.as_posix(),
        **{name: str(getattr(row, name)) for name in _COLUMNS[1:7]},
        "report": report,
        "origin": Origin.GENERATED.value,
        "source": f"{generator.name} (no patient)",
    }


def _webp(image: RgbImage) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(image).save(buffer, format="WEBP", quality=90)
    return buffer.getvalue()
