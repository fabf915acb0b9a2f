"""What normalising colours reaches in another laboratory: of its pictures, or of the drawings.

    python bench/stain_normalising.py MANIFEST --home MANIFEST [--prototypes 4] [--every 1]

MANIFEST holds the other laboratory's pictures; findings with ten or more are asked for, with
held-out reports and with its own pictures. Colours are moved to the mean and deviation of optical
densities (Reinhard et al. 2001, doi 10.1109/38.946629): each of its pictures to those of ``--home``
(300 pictures of the training laboratories), or each drawing to those of its pictures. Drawings are
not gated. Macro P@10 over findings with 95 % intervals, and paired with the pictures as they are.
"""

from __future__ import annotations

import argparse
from collections import Counter
from pathlib import Path

import numpy as np
from adapting import drawn_by
from numpy.typing import NDArray
from translation import recoloured

from coin_retrieval.encoding.base import SupportsText
from coin_retrieval.factory import make_encoder, make_generator, parse_encoder, parse_generator
from coin_retrieval.images.decoding import load_image
from coin_retrieval.images.resizing import fit_square
from coin_retrieval.metrics.bootstrap import macro_interval
from coin_retrieval.tables.cases import CaseRow, read_case_table
from coin_retrieval.types import ReportSource, RgbImage
from coin_retrieval.wordings.labelled_reports import labelled_reports

SIDE_PX, HOME, PLACES, LEAST = 128, 300, 10, 10


def precisions(
    queries: NDArray[np.float32], asked: list[str], real: NDArray[np.float32], labels: list[str]
) -> NDArray[np.float64]:
    """P@10 of each query [queries]; a query that is itself among the pictures does not count."""
    alike = queries @ real.T
    alike[alike > 1 - 1e-4] = -1
    order = np.argsort(-alike, axis=1)[:, :PLACES]
    names = np.asarray(labels)
    return np.array([np.mean(names[row] == label) for row, label in zip(order, asked, strict=True)])


def squares(rows: list[CaseRow]) -> list[RgbImage]:
    return [fit_square(load_image(row.image_path), SIDE_PX) for row in rows]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("manifest", type=Path)
    parser.add_argument("--home", type=Path, required=True)
    parser.add_argument("--encoder", default="starter")
    parser.add_argument("--generator", default="starter")
    parser.add_argument("--prototypes", type=int, default=4)
    parser.add_argument("--every", type=int, default=1)
    given = parser.parse_args()
    rows = list(read_case_table(given.manifest))
    counts = Counter(row.finding for row in rows)
    generator = make_generator(parse_generator(given.generator))
    reports = [r for r in labelled_reports(None) if counts[r.label] >= LEAST][:: given.every]
    reports = [report for report in reports if generator.knows(ReportSource(report.report))]
    asked, labels = [report.label for report in reports], [row.finding for row in rows]
    seen = [place for place, label in enumerate(labels) if counts[label] >= LEAST]
    encoder = make_encoder(parse_encoder(given.encoder))
    drawn = drawn_by(generator, reports, given.prototypes)
    here = squares(rows)
    home = [row for row in read_case_table(given.home) if row.attributes.get("split") == "train"]
    there = squares(home[:: max(1, len(home) // HOME)][:HOME])
    if not isinstance(encoder, SupportsText):
        parser.error("the encoder reads no text")
    words = encoder.encode_text([report.report for report in reports])
    ways = {
        "as they are": (here, drawn),
        "its pictures moved to home's colours": (recoloured(here, there), drawn),
        "drawings moved to its colours": (here, recoloured(drawn, here)),
    }
    found: dict[str, list[NDArray[np.float64]]] = {}
    for name, (pictures, prototypes) in ways.items():
        real = encoder.encode(pictures)
        mean = encoder.encode_drawn(prototypes).reshape(len(reports), given.prototypes, -1).mean(1)
        found[name] = [
            precisions(real[seen], [labels[place] for place in seen], real, labels),
            precisions(words, asked, real, labels),
            precisions(mean / np.linalg.norm(mean, axis=1, keepdims=True), asked, real, labels),
        ]
    classes = [[labels[place] for place in seen], asked, asked]
    print(f"{len(reports)} reports, {len(rows)} pictures")
    print("| colours | picture query | text | prototype |\n|---|---|---|---|")
    for name, values in found.items():
        cells = [str(macro_interval(v, c)) for v, c in zip(values, classes, strict=True)]
        if name != "as they are":
            plain = zip(values, found["as they are"], classes, strict=True)
            ahead = [macro_interval(v - p, c).signed for v, p, c in plain]
            cells = [f"{cell}; {lead}" for cell, lead in zip(cells, ahead, strict=True)]
        print(f"| {name} | {' | '.join(cells)} |")


if __name__ == "__main__":
    main()
