"""Does drawing cross laboratories? One page from figures that are there, beside what else reaches.

    python bench/crossing.py FIGURES --out out/crossing

FIGURES is what ``make figures`` wrote: each archive asked with three seeds of drawings, in four
modes. The page has each mode's mean over the seeds and their range, drawing minus text paired by
report, the same by finding, and a plot. Intervals are 95 %, of the seed in the middle.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib import pyplot as plt

MODES = ("image", "text", "prototype", "fused")
PLACES = {
    "blood at home": ("retrieval-blood", "retrieval-blood-seed1000", "retrieval-blood-seed2000"),
    "cervix at home": (
        "retrieval-cervix",
        "retrieval-cervix-seed1000",
        "retrieval-cervix-seed2000",
    ),
    "elsewhere, as it is": tuple(f"retrieval-away-seed{seed}" for seed in (0, 1000, 2000)),
    "elsewhere, by default": tuple(f"retrieval-away-auto-seed{seed}" for seed in (0, 1000, 2000)),
    "elsewhere, widened": tuple(f"retrieval-away-wide-seed{seed}" for seed in (0, 1000, 2000)),
    "elsewhere, stain normalised": tuple(f"retrieval-away-stain-seed{s}" for s in (0, 1000, 2000)),
    "elsewhere, all three": tuple(f"retrieval-away-all-seed{seed}" for seed in (0, 1000, 2000)),
}
ALONE = {
    "blood at home": ("vision",),
    "elsewhere, as it is": tuple(f"vision-away-seed{seed}" for seed in (0, 1000, 2000)),
}
"""The same pictures in an archive of an encoder that ImageNet alone taught: it reads no text."""


class Asked:
    """One archive and mode, asked once for each seed of drawings."""

    def __init__(self, runs: list[dict[str, Any]], mode: str) -> None:
        found = [[m for m in run["modes"] if m["mode"] == mode] for run in runs]
        self.modes = [modes[0] for modes in found if modes]
        self.values = np.array([mode["precision"] for mode in self.modes])

    @property
    def middle(self) -> dict[str, Any]:
        """The seed with the median figure."""
        return self.modes[int(np.argsort(self.values)[(len(self.values) - 1) // 2])]

    def __str__(self) -> str:
        if not self.modes:
            return "reads no text"
        low, high = self.middle["intervals"]["precision"]
        spread = f"{self.values.min():.3f} to {self.values.max():.3f}"
        seeds = f"; {spread}" if self.values.min() < self.values.max() else ""
        return f"{self.values.mean():.3f} ({low:.2f}–{high:.2f}{seeds})"


def read(figures: Path, names: tuple[str, ...]) -> list[dict[str, Any]]:
    return [json.loads((figures / name / "figures.json").read_text()) for name in names]


def lead(runs: list[dict[str, Any]], mode: str) -> str:
    """A mode minus text, paired by report: one interval a seed."""
    cells = []
    for run in runs:
        for found in run["differences"]:
            if (found["mode"], found["baseline"]) in {(mode, "text"), ("text", mode)}:
                one = found["figures"]["precision"]
                sign = 1 if found["mode"] == mode else -1
                low, high = sorted((sign * one["low"], sign * one["high"]))
                cells.append(f"{sign * one['mean']:+.3f} ({low:+.3f} to {high:+.3f})")
    return ", ".join(cells)


def classes(runs: list[dict[str, Any]]) -> list[str]:
    """Rows of one archive by finding: each mode's mean over the seeds."""
    by_mode = {
        mode: [
            {one["label"]: one["precision"] for one in found["classes"]}
            for found in Asked(runs, mode).modes
        ]
        for mode in MODES
    }
    rows = []
    for label in sorted({label for run in by_mode["text"] for label in run}):
        means = [np.mean([run[label] for run in by_mode[m] if label in run]) for m in MODES]
        ahead = means[2] - means[1]
        rows.append(f"| {label} | {' | '.join(f'{m:.2f}' for m in means)} | {ahead:+.2f} |")
    return rows


def page(figures: Path) -> str:
    """The tables, Markdown."""
    lines = [
        "# Does drawing cross laboratories?",
        "",
        "Macro P@10 over findings; mean of three seeds of drawings (95 % interval of the middle "
        "one; lowest to highest seed), written by `bench/crossing.py`.",
        "",
        "| | picture query | text | prototype | fused |",
        "|---|---|---|---|---|",
    ]
    asked = {place: read(figures, names) for place, names in PLACES.items()}
    for place, runs in asked.items():
        lines.append(f"| {place} | {' | '.join(str(Asked(runs, mode)) for mode in MODES)} |")
    for place, names in ALONE.items():
        if all((figures / name).exists() for name in names):
            runs = read(figures, names)
            cells = " | ".join(str(Asked(runs, mode)) for mode in MODES[:3])
            lines.append(f"| {place}, encoder of ImageNet alone | {cells} | |")
    lines += [
        "",
        "Paired by report, one interval a seed:",
        "",
        "| | prototype − text | fused − text |",
        "|---|---|---|",
        *(f"| {p} | {lead(r, 'prototype')} | {lead(r, 'fused')} |" for p, r in asked.items()),
    ]
    for place, runs in asked.items():
        lines += ["", f"## {place[0].upper()}{place[1:]}, by finding", ""]
        lines += ["| | picture query | text | prototype | fused | prototype − text |"]
        lines += ["|---|---|---|---|---|---|", *classes(runs)]
    return "\n".join(lines) + "\n"


def plot(figures: Path, out: Path) -> None:
    """Each place's modes with their intervals, every seed a point."""
    mpl.use("Agg")
    fig, axes = plt.subplots(1, len(PLACES), figsize=(14, 3.2), sharey=True, layout="constrained")
    for axis, (place, names) in zip(axes, PLACES.items(), strict=True):
        runs = read(figures, names)
        for x, mode in enumerate(MODES):
            asked = Asked(runs, mode)
            low, high = asked.middle["intervals"]["precision"]
            axis.plot([x, x], [low, high], color=f"C{x}", lw=4, alpha=0.35)
            axis.plot([x] * len(asked.values), asked.values, "o", color=f"C{x}", ms=5)
        axis.set_xticks(range(len(MODES)), MODES, rotation=30)
        axis.set_title(place, fontsize=8)
        axis.grid(axis="y", alpha=0.3)
    axes[0].set_ylabel("macro P@10")
    fig.savefig(out / "crossing.png", dpi=110)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("figures", type=Path)
    parser.add_argument("--out", type=Path, default=Path("out/crossing"))
    given = parser.parse_args()
    given.out.mkdir(parents=True, exist_ok=True)
    text = page(given.figures)
    (given.out / "crossing.md").write_text(text, encoding="utf-8")
    plot(given.figures, given.out)
    print(text)


if __name__ == "__main__":
    main()
