"""Does a search with pictures drawn from a picture find more than the picture alone?

    python bench/variations.py ARCHIVE [--pictures 150] [--variations 4]

Pictures that no model was trained on (`split=val`) are searched with, their own cases left out as
in any search: the share of the first five cases that bear the same finding, alone and varied,
and the paired difference, by site.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np

import coin_retrieval as coin
from coin_retrieval.images.decoding import RgbImage
from coin_retrieval.metrics.bootstrap import macro_interval

PLACES = 5


def main() -> None:
    asked = argparse.ArgumentParser(description=__doc__)
    asked.add_argument("archive", type=Path)
    asked.add_argument("--pictures", type=int, default=150, help="of each site")
    asked.add_argument("--variations", type=int, default=4)
    given = asked.parse_args()
    print("| site | pictures | alone | varied | difference |\n|---|---|---|---|---|")
    with coin.open(given.archive) as archive:
        opened = archive.retriever.archive
        for site in archive.values("site"):
            ids = opened.catalog.select({"site": [site], "split": ["val"]})
            if not len(ids):
                continue
            chosen = np.random.default_rng(0).permutation(ids)[: given.pictures]
            records = list(opened.catalog.images(chosen.tolist()).values())
            found = np.array(
                [
                    [
                        share(archive, opened.picture(one), site, one.finding, variations)
                        for variations in (0, given.variations)
                    ]
                    for one in records
                ]
            )
            classes = [one.finding for one in records]
            alone, varied, gain = (
                macro_interval(column, classes)
                for column in (found[:, 0], found[:, 1], found[:, 1] - found[:, 0])
            )
            print(f"| {site} | {len(found)} | {alone} | {varied} | {gain.signed_markdown} |")


def share(
    archive: coin.SearchableArchive, image: RgbImage, site: str, finding: str, variations: int
) -> float:
    where = {"site": site, "split": "val"}
    cases = archive.search(image=image, where=where, k=PLACES, variations=variations).cases
    return float(np.mean([case.match.matches[0].image.finding == finding for case in cases]))


if __name__ == "__main__":
    main()
