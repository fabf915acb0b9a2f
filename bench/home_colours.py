"""The colours that the starter was trained on, by site: whenever its training pictures change.

    python bench/home_colours.py MANIFEST … --out coin_retrieval/starter/colours.json

Of each site up to 600 pictures of ``split=train``; mean and deviation of optical densities.
"""

from __future__ import annotations

import argparse
import json
from collections import defaultdict
from pathlib import Path

from coin_retrieval.encoding.stains import colours_of
from coin_retrieval.images.decoding import load_image
from coin_retrieval.tables.cases import CaseRow, read_case_table

PICTURES = 600


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("manifests", type=Path, nargs="+")
    parser.add_argument("--out", type=Path, required=True)
    given = parser.parse_args()
    by_site: dict[str, list[CaseRow]] = defaultdict(list)
    for manifest in given.manifests:
        for row in read_case_table(manifest):
            if row.attributes.get("split") == "train":
                by_site[row.site].append(row)
    found = {}
    for site, rows in sorted(by_site.items()):
        if site == "unspecified":
            continue
        some = rows[:: max(1, len(rows) // PICTURES)][:PICTURES]
        found[site] = colours_of([load_image(row.image_path) for row in some]).model_dump()
    given.out.write_text(json.dumps(found, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
