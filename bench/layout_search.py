"""Asked for so many nuclei, how often do the nearest ten pictures have about as many?

    python bench/layout_search.py --model MODEL --data tiles.csv --scale 0.5 [--squares 300]
        [--drawings 8]

Real squares of the tiles that the model's training held out are the archive; their counts are
known. Each count is asked by a drawing of a sampled layout, by words, and by a real square of that
count (the most that a picture query can reach). A hit is a square whose count lies within 25 % of
the asked one.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np

from coin_retrieval.encoding.base import SupportsText
from coin_retrieval.evaluation.pairs.judging import squares_of
from coin_retrieval.factory import make_encoder, make_layout_generator, parse_encoder
from coin_retrieval.metrics.bootstrap import macro_interval
from coin_retrieval.prototypes.layouts import layout_of_words
from coin_retrieval.prototypes.tiles import known_tiles

NEAREST, NEAR = 10, 0.25
WORDS = {3: "three", 6: "six", 9: "nine", 12: "twelve", 15: "fifteen", 18: "eighteen", 22: "22"}


def hits(queries: np.ndarray, rows: np.ndarray, counts: np.ndarray, asked: int) -> np.ndarray:
    """The share of the nearest ten that has about as many, of each query."""
    order = np.argsort(-(queries @ rows.T), axis=1)[:, :NEAREST]
    return np.mean(np.abs(counts[order] - asked) <= NEAR * asked, axis=1)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--model", type=Path, required=True)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--scale", type=float, default=0.5)
    parser.add_argument("--squares", type=int, default=300)
    parser.add_argument("--drawings", type=int, default=8)
    parser.add_argument("--encoder", default="starter")
    given = parser.parse_args()
    generator = make_layout_generator(given.model)
    config = generator.config
    _, tiles = known_tiles(
        given.data, labels=config.labels, kinds=config.kinds, scale=given.scale,
        side_px=config.side_px,
    )  # fmt: skip
    random = np.random.default_rng(0)
    squares = squares_of(tiles, given.squares, side_px=config.side_px, random=random)
    encoder = make_encoder(parse_encoder(given.encoder))
    counts = np.array([len(square.points) for square in squares])
    rows = encoder.encode([square.image for square in squares])
    print(f"{len(squares)} squares, {counts.min()} to {counts.max()} nuclei, median "
          f"{np.median(counts):.0f}")  # fmt: skip
    found: dict[str, list[float]] = {"drawn": [], "words": [], "real": [], "chance": []}
    asked_of: list[str] = []
    for asked, word in WORDS.items():
        like = np.flatnonzero(counts == asked)
        if np.count_nonzero(np.abs(counts - asked) <= NEAR * asked) < NEAREST or not len(like):
            continue
        plans = [
            plan
            for seed in range(given.drawings)
            for plan in generator.plan(
                layout_of_words(f"{word} nuclei", config.kinds, seed=seed), n=1, seed=seed
            )
        ]
        pairs = generator.pairs(plans)
        seen = np.mean([pair.measures.count for pair in pairs])
        drawn = hits(encoder.encode_drawn([pair.image for pair in pairs]), rows, counts, asked)
        words = np.zeros(1)
        if isinstance(encoder, SupportsText):
            words = hits(encoder.encode_text([f"{word} nuclei"]), rows, counts, asked)
        chosen = random.choice(like, min(len(like), given.drawings), replace=False)
        real = []
        for place in chosen:
            others = np.arange(len(rows)) != place
            real.append(hits(rows[[place]], rows[others], counts[others], asked)[0])
        chance = np.mean(np.abs(counts - asked) <= NEAR * asked)
        print(f"| {asked} | {seen:.1f} drawn | {drawn.mean():.2f} | {words.mean():.2f} | "
              f"{np.mean(real):.2f} | {chance:.2f} |", flush=True)  # fmt: skip
        measured = {"drawn": drawn, "words": words, "real": real, "chance": chance}
        for name, values in measured.items():
            found[name].append(float(np.mean(values)))
        asked_of.append("all")
    for name, values in found.items():
        print(f"{name}: {macro_interval(np.array(values), asked_of)}")
    ahead = np.array(found["drawn"]) - np.array(found["words"])
    print(f"drawn − words: {macro_interval(ahead, asked_of).signed}")


if __name__ == "__main__":
    main()
