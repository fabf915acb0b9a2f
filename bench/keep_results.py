"""Copy what ``bench/starter_figures.sh`` measured into docs/results, without this machine's paths.

Tables get their plots; ``closest_pairs.png`` shows real pictures, and these enter no tree.

python bench/keep_results.py OUT DATA WEIGHTS docs/results
"""

from __future__ import annotations

import sys
from pathlib import Path

from PIL import Image

TABLES = (
    "retrieval-blood",
    "retrieval-cervix",
    *(f"retrieval-{part}-seed{seed}" for part in ("blood", "cervix") for seed in (1000, 2000)),
    *(
        f"retrieval-{part}-seed{seed}"
        for part in ("away", "away-wide", "red")
        for seed in (0, 1000, 2000)
    ),
    "ablation-blood",
    "ablation-cervix",
    "vision",
    *(f"vision-away-seed{seed}" for seed in (0, 1000, 2000)),
    *(f"retrieval-{part}-turned" for part in ("blood", "cervix", "away", "away-wide")),
    *(
        f"retrieval-{p}-seed{s}"
        for p in ("away-auto", "away-stain", "away-all")
        for s in (0, 1000, 2000)
    ),
    *(f"retrieval-{part}-stain" for part in ("blood", "cervix", "red")),
    "stains",
    "crossing",
    *(f"close-match-{part}{kind}" for part in ("blood", "mixed") for kind in ("", "-pictures")),
    "trying",
    "travel",
    *(
        f"{figure}-{part}"
        for figure in (
            "images",
            "memorisation",
            "agreement",
            "images-reconstructed",
            "agreement-reconstructed",
        )
        for part in ("blood", "cervix", "red")
    ),
    "augmentation",
)
FURTHER = ("seed1000", "seed2000", "turned", "stain", "auto")
"""In the names of variants, whose tables are kept without plots."""

PLOTS = ("modes", "classes", "close_match", "augmentation", "crossing")
PRINTED = ("calibration-blood", "calibration-cervix", "calibration-away", "warm", "cold", "encode")


def main(out: Path, data: str, weights: str, kept: Path) -> None:
    kept.mkdir(parents=True, exist_ok=True)
    for name in (*TABLES, *PRINTED):
        source = out / f"{name}.txt"
        if not (out / f"{name}.done").exists():
            continue  # not measured, or still being measured
        text = source.read_text("utf-8").strip()
        for path, stands_for in ((data, "DATA"), (weights, "WEIGHTS"), (str(out), "OUT")):
            text = text.replace(path, stands_for)
        body = text if name in TABLES else f"```\n{text}\n```"
        for plot in () if any(one in name for one in FURTHER) else PLOTS:
            if (file := out / name / f"{plot}.png").exists():
                Image.open(file).save(kept / f"{name}-{plot}.webp", lossless=True)
                body += f"\n\n![{plot} of {name}]({name}-{plot}.webp)"
        (kept / f"{name}.md").write_text(f"# {name}\n\n{body}\n", "utf-8")


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2], sys.argv[3], Path(sys.argv[4]))
