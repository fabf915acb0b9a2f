"""Do other colours or another scale help? The archive's own findings say.

Each picture looks for its like among those of other people; what brings more of its finding under
the nearest ten is kept. Texts and drawings gain with it, where it was measured (docs/crossing.md).
"""

from __future__ import annotations

from itertools import product
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from coin_retrieval.config import EncoderSettings, StainMap
from coin_retrieval.encoding.showing import how_shown, shown
from coin_retrieval.errors import InputError
from coin_retrieval.factory import make_encoder
from coin_retrieval.metrics.bootstrap import macro_interval, macro_mean
from coin_retrieval.metrics.intervals import Estimate
from coin_retrieval.metrics.ranking import precision_at
from coin_retrieval.progress import Progress, counted
from coin_retrieval.types import Embeddings
from indexer.normalising.sample import Sample

PLACES = 10
MARGINS = (0.0, 0.15, -0.2)
SURE, WORTH = 0.99, 0.02
"""The interval of a gain that must lie above zero, and the least gain that is worth a change."""


class Way(NamedTuple):
    """How pictures are shown; the first that is tried is as they are."""

    stain_map: StainMap | None
    margin: float


def tried(settings: EncoderSettings, sample: Sample, on: Progress) -> tuple[EncoderSettings, str]:
    """The settings that find most, and how much that was; as they came, if nothing is surely won.

    Asked are pictures whose finding, or else diagnosis, eleven people or more have; two such
    findings are needed.
    """
    names = np.array([row.finding or row.diagnosis for row in sample.rows])
    people = np.array([row.patient_id or row.case_id for row in sample.rows])
    frequent = [name for name in set(names) if name and len(set(people[names == name])) > PLACES]
    if len(frequent) < 2:
        return settings, ""
    asked = np.isin(names, frequent)
    classes, whose = names[asked].tolist(), people[asked].tolist()
    ways = [Way(*way) for way in product(_maps(sample), MARGINS)]
    encoder = make_encoder(settings)
    found: list[NDArray[np.float64]] = []
    gains: list[Estimate] = []
    for way in counted(ways, "trying colours and scale", on):
        vectors = encoder.encode([shown(image, *way) for image in sample.pictures])
        found.append(_precisions(vectors, names, people)[asked])
        gain = found[-1] - found[0]
        gains.append(macro_interval(gain, classes, cases=whose, level=SURE))
    best = max(range(len(ways)), key=lambda at: gains[at].mean if gains[at].low > 0 else 0.0)
    if gains[best].mean < WORTH:
        return settings, ""
    note = (
        f"pictures are embedded with {how_shown(*ways[best])}: {len(classes)} pictures with one of "
        f"{len(frequent)} findings looked for their like in other cases, and P@{PLACES} was "
        f"{macro_mean(found[0], classes):.2f} as they are, {gains[best].signed} so "
        "(--normalise never leaves them as they are)"
    )
    return settings.model_copy(update=ways[best]._asdict()), note


def _maps(sample: Sample) -> list[StainMap | None]:
    try:
        return [None, sample.stain_map()]
    except InputError:
        return [None]


def _precisions(
    vectors: Embeddings, names: NDArray[np.str_], people: NDArray[np.str_]
) -> NDArray[np.float64]:
    """P@10 of each picture among those of other people, float64 [pictures]."""
    alike = vectors @ vectors.T
    alike[people[:, None] == people] = -np.inf
    nearest = np.argsort(-alike, axis=1)[:, :PLACES]
    return precision_at(names[nearest] == names[:, None], PLACES)
