"""Which defaults lose neither at home nor in another laboratory?

    python bench/travel.py ARCHIVE[:FINDING,…] … [--out out/travel] [--every 1] [--prototypes 4]

Asks held-out reports of each archive in every way below, prototypes drawn and embedded once, and
compares each way with the present default on the same reports: macro P@10, paired differences, 95 %
intervals. The first columns say where a way loses most: a default is the way whose worst archive is
best. Nothing here needs a labelled report of the archive, as a default must not.
"""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from coin_retrieval.calibrating.candidate_scores import CandidateScores, spaces_of
from coin_retrieval.calibrating.candidates import WHITENINGS, Candidate
from coin_retrieval.calibrating.case_ranking import case_vectors
from coin_retrieval.calibrating.labelled_pictures import labelled_pictures
from coin_retrieval.calibrating.query_bank import embed_queries
from coin_retrieval.cli.opening import open_retriever
from coin_retrieval.config import FusionMethod, FusionSettings
from coin_retrieval.console.bars import showing
from coin_retrieval.metrics.bootstrap import macro_interval
from coin_retrieval.metrics.intervals import Estimate
from coin_retrieval.types import SearchMode
from coin_retrieval.wordings.labelled_reports import labelled_reports

MODES = (SearchMode.TEXT, SearchMode.PROTOTYPE, SearchMode.FUSED)
METHODS: tuple[FusionMethod, ...] = ("mean", "max", "rrf")
WEIGHTS = (0.2, 0.4, 0.5, 0.6, 0.7, 0.8)


@dataclass(frozen=True)
class Measured:
    """One archive: P@10 of each way on each report, float64 [ways reports], and its classes."""

    name: str
    values: NDArray[np.float64]
    classes: list[str]

    def figure(self, row: int) -> Estimate:
        return macro_interval(self.values[row], self.classes)

    def lead(self, row: int, other: int) -> Estimate:
        return macro_interval(self.values[row] - self.values[other], self.classes)


def ways(prototypes: int) -> list[Candidate]:
    """The present default first."""
    found = [Candidate(SearchMode.FUSED, FusionSettings(), prototypes)]
    for whitening in WHITENINGS:
        plain = FusionSettings(whitening=whitening)
        found.append(Candidate(SearchMode.TEXT, plain, 0))
        for method in METHODS:
            drawn = plain.model_copy(update={"method": method})
            found.append(Candidate(SearchMode.PROTOTYPE, drawn, prototypes))
            for weight in WEIGHTS:
                fused = drawn.model_copy(update={"text_weight": weight})
                found.append(Candidate(SearchMode.FUSED, fused, prototypes))
    return found


def measure(given: str, tried: list[Candidate], every: int) -> Measured:
    """Ask one archive."""
    path, _, findings = given.partition(":")
    where = {"finding": findings.split(",")} if findings else {}
    drawn = tried[0].prototypes
    retriever = open_retriever(Path(path))
    with retriever.archive as archive, showing() as on:
        labelled = labelled_pictures(archive, where=where, by="finding")
        reports = labelled.answerable(labelled_reports(None))[::every]
        bank = embed_queries(retriever, reports, modes=MODES, prototypes=drawn, on=on)
        scores = CandidateScores(
            case_vectors(archive, labelled), spaces=spaces_of(archive.store, WHITENINGS)
        )
        values = scores.precisions(bank, tried, on=on)
    return Measured(Path(path).name, values, [report.label for report in reports])


def table(tried: list[Candidate], found: list[Measured]) -> str:
    """Best worst case first; the present default is told."""
    losses = np.array([[one.lead(row, 0).mean for one in found] for row in range(len(tried))])
    order = sorted(range(len(tried)), key=lambda row: (-losses[row].min(), -losses[row].mean()))
    heads = [f"{one.name} ({len(one.classes)} reports) | ahead of the default" for one in found]
    lines = [
        f"| way | worst | mean | {' | '.join(heads)} |",
        f"|---|---|---|{'---|---|' * len(found)}",
    ]
    for row in order:
        cells = [f"{one.figure(row)} | {one.lead(row, 0).signed_markdown}" for one in found]
        name = f"**{tried[row]} (default)**" if row == 0 else str(tried[row])
        worst, mean = losses[row].min(), losses[row].mean()
        lines.append(f"| {name} | {worst:+.3f} | {mean:+.3f} | {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("archives", nargs="+", help="an archive's folder, or FOLDER:FINDING,…")
    parser.add_argument("--every", type=int, default=1, help="ask only each n-th report")
    parser.add_argument("--prototypes", type=int, default=4)
    parser.add_argument("--out", type=Path, help="directory for travel.md")
    given = parser.parse_args()
    tried = ways(given.prototypes)
    text = table(tried, [measure(one, tried, given.every) for one in given.archives])
    print(text)
    if given.out:
        given.out.mkdir(parents=True, exist_ok=True)
        (given.out / "travel.md").write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
