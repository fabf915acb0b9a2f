"""What a LoRA of a laboratory's own pictures brings there: prototypes' P@5 and KID, paired.

    python bench/adapting.py --base starter --folds FOLD … --lora FOLDER … [--prototypes 4]
        [--every 2] [--sheet FILE] [--taught MANIFEST … [--margin -0.25]]
        [--encoder starter]
        [--space timm:mobilenetv2_100?checkpoint=FILE&pad_type=same&num_classes=1001]

Each FOLD is a manifest of the pictures that are judged (none of them trained on), each FOLDER the
LoRA that was trained on the others. Held-out reports of findings that every fold has some cases of
are drawn by the base and by each LoRA, ungated; the nearest pictures of the fold are found by the
mean of a report's prototypes. Differences are paired by report and averaged over folds; intervals
are 95 %, bootstrapped over reports.

With --taught, each fold's other pictures, what no training brings stands beside it: drawings in the
laboratory's colours, and with --margin the base's in its field too. --encoder is what searches:
the starter's has learnt from the base's drawings, one of ImageNet's from none.
"""

from __future__ import annotations

import argparse
from collections import Counter
from pathlib import Path

import numpy as np
from PIL import Image

from coin_retrieval.encoding.showing import shown
from coin_retrieval.encoding.stains import colours_of, stain_map
from coin_retrieval.evaluation.pictures.fidelity import compare
from coin_retrieval.evaluation.pictures.picture_sets import PictureSet
from coin_retrieval.evaluation.pictures.spaces import open_space
from coin_retrieval.factory import make_encoder, make_generator, parse_encoder, parse_generator
from coin_retrieval.images.decoding import load_image
from coin_retrieval.images.resizing import fit_square
from coin_retrieval.metrics.bootstrap import macro_interval
from coin_retrieval.prototypes.base import Prototyper
from coin_retrieval.tables.cases import CaseRow, read_case_table
from coin_retrieval.types import ReportSource, RgbImage
from coin_retrieval.wordings.labelled_reports import LabelledReport, labelled_reports

LEAST = 7
PLACES = 5


def drawn_by(generator: Prototyper, reports: list[LabelledReport], n: int) -> list[RgbImage]:
    plans = [
        plan
        for number, report in enumerate(reports)
        for plan in generator.plan(ReportSource(report.report), n=n, seed=64 * number)
    ]
    generator.batch_size = 16
    return [sample.image for sample in generator.draw(plans)]


def precisions(
    drawn: np.ndarray, real: np.ndarray, labels: list[str], reports: list[LabelledReport]
) -> np.ndarray:
    """P@5 of each report, float64 [reports]; its prototypes' mean finds."""
    mean = drawn.reshape(len(reports), -1, drawn.shape[1]).mean(axis=1)
    order = np.argsort(-(mean @ real.T), axis=1)[:, :PLACES]
    names = np.asarray(labels)
    return np.array([np.mean(names[row] == r.label) for row, r in zip(order, reports, strict=True)])


def seen_as(
    pictures: list[RgbImage], taught: Path, sample: int = 300, *, margin: float
) -> list[RgbImage]:
    """Drawings in the colours that a laboratory's pictures have, and in their field."""
    own = [load_image(row.image_path) for row in read_case_table(taught)][:sample]
    moved = stain_map(colours_of(pictures), colours_of(own))
    return [shown(picture, moved, margin) for picture in pictures]


def ways_of(
    given: argparse.Namespace, drawn: list[RgbImage], reports: list[LabelledReport], *, fold: int
) -> dict[str, list[RgbImage]]:
    """With what pictures a fold is asked: the base's, as drawn and as the laboratory would show
    them, and the adapted generator's."""
    ways = {"base": drawn}
    if given.lora:
        joined = "&" if "?" in given.base else "?"
        adapted = make_generator(parse_generator(f"{given.base}{joined}lora={given.lora[fold]}"))
        ways["adapted"] = drawn_by(adapted, reports, given.prototypes)
    if given.taught:
        taught = given.taught[fold]
        ways |= {
            f"{way}, recoloured": seen_as(own, taught, margin=0.0) for way, own in ways.items()
        }
        if given.margin:
            ways["base, recoloured, its field"] = seen_as(drawn, taught, margin=given.margin)
    print(f"drawn: fold {fold}", flush=True)
    return ways


def like_the_fold(rows: list[CaseRow], reports: list[LabelledReport], n: int) -> np.ndarray:
    """Places of drawings whose findings are as frequent as in the fold."""
    labels = np.repeat([report.label for report in reports], n)
    real = Counter(row.finding for row in rows if row.finding in set(labels))
    share = min(np.count_nonzero(labels == name) / count for name, count in real.items())
    return np.concatenate(
        [np.flatnonzero(labels == name)[: int(share * count)] for name, count in real.items()]
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--base", default="starter")
    parser.add_argument("--folds", type=Path, nargs="+", required=True)
    parser.add_argument("--lora", nargs="*", default=[])
    parser.add_argument("--taught", type=Path, nargs="*", default=[])
    parser.add_argument("--margin", type=float, default=0.0)
    parser.add_argument("--encoder", default="starter")
    parser.add_argument("--space")
    parser.add_argument("--prototypes", type=int, default=4)
    parser.add_argument("--every", type=int, default=2)
    parser.add_argument("--sheet", type=Path)
    given = parser.parse_args()
    folds = [list(read_case_table(fold)) for fold in given.folds]
    counts = [Counter(row.finding for row in fold) for fold in folds]
    known = {name for name in counts[0] if all(count[name] >= LEAST for count in counts)}
    reports = [report for report in labelled_reports(None) if report.label in known]
    base = make_generator(parse_generator(given.base))
    reports = [r for r in reports[:: given.every] if base.knows(ReportSource(r.report))]
    classes = [report.label for report in reports]
    print(f"{len(reports)} reports of {', '.join(sorted(known))}; folds of "
          f"{', '.join(str(len(fold)) for fold in folds)} pictures")  # fmt: skip
    encoder = make_encoder(parse_encoder(given.encoder))
    space = open_space(given.space, size_px=128) if given.space else None
    drawn = drawn_by(base, reports, given.prototypes)
    ways = [ways_of(given, drawn, reports, fold=fold) for fold in range(len(folds))]
    found: dict[str, list[np.ndarray]] = {way: [] for way in ways[0]}
    print("| fold | pictures | P@5 | KD × 1000 | FD |\n|---|---|---|---|---|")
    for number, rows in enumerate(folds):
        images = [load_image(row.image_path) for row in rows]
        real, labels = encoder.encode(images), [row.finding for row in rows]
        truth = space.features(PictureSet("fold", tuple(rows))) if space else None
        for way, pictures in ways[number].items():
            values = precisions(encoder.encode_drawn(pictures), real, labels, reports)
            found[way].append(values)
            cells = ["", ""]
            if space is not None and truth is not None:
                chosen = like_the_fold(rows, reports, given.prototypes)
                squares = [fit_square(pictures[i], 128) for i in chosen]
                own = compare(space, truth, space.encoder.features(squares), name=way)  # type: ignore[attr-defined]
                cells = [f"{1000 * own.kernel:.1f} ± {1000 * own.kernel_deviation:.1f}",
                         f"{own.frechet:.0f}"]  # fmt: skip
            mean = macro_interval(values, classes)
            print(f"| {number} | {way} | {mean} | {cells[0]} | {cells[1]} |", flush=True)
    before, *others = (np.mean(values, axis=0) for values in found.values())
    print(f"P@5 over folds: base {macro_interval(before, classes)}")
    for way, after in zip(list(found)[1:], others, strict=True):
        print(f"{way} {macro_interval(after, classes)}, {way} − base "
              f"{macro_interval(after - before, classes).signed}")  # fmt: skip
    if given.sheet:
        firsts = [classes.index(name) for name in sorted(known)]
        page = [
            [load_image(row.image_path) for name in sorted(known)
             for row in [r for r in folds[0] if r.finding == name][:2]],
            *([some[i * given.prototypes + j] for i in firsts for j in range(2)]
              for some in ways[0].values()),
        ]  # fmt: skip
        squares = [np.concatenate([fit_square(one, 128) for one in row], axis=1) for row in page]
        Image.fromarray(np.concatenate(squares)).save(given.sheet, quality=85)


if __name__ == "__main__":
    main()
