"""Stratified folds of a manifest: some of each finding to judge by, the others to adapt to.

    python bench/folds.py MANIFEST --out out/folds [--folds 3]

Writes ``fold0.csv`` … (every third picture of a finding, in the manifest's order) and
``taught0.csv`` … (the other pictures, ``split=train`` whatever they were), for ``coin train lora
--data`` and ``bench/adapting.py --folds … --taught …``.
"""

from __future__ import annotations

import argparse
import csv
from collections import Counter
from pathlib import Path

from coin_retrieval.tables.files import form_of, read_rows

Row = dict[str, str]


def numbered(manifest: Path) -> list[tuple[int, Row]]:
    """Rows with paths that hold anywhere, each with its number among those of its finding."""
    seen: Counter[str] = Counter()
    found = []
    for _, row in read_rows(manifest, form_of(manifest)):
        path = str((manifest.parent / row["image_path"]).resolve())
        found.append((seen[row["finding"]], {**row, "image_path": path}))
        seen[row["finding"]] += 1
    return found


def write(rows: list[Row], to: Path) -> None:
    with to.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("manifest", type=Path)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--folds", type=int, default=3)
    given = parser.parse_args()
    given.out.mkdir(parents=True, exist_ok=True)
    rows = numbered(given.manifest)
    for fold in range(given.folds):
        judged = [row for number, row in rows if number % given.folds == fold]
        taught = [{**row, "split": "train"} for number, row in rows if number % given.folds != fold]
        write(judged, given.out / f"fold{fold}.csv")
        write(taught, given.out / f"taught{fold}.csv")
        print(f"fold {fold}: {len(judged)} to judge by, {len(taught)} to adapt to")


if __name__ == "__main__":
    main()
