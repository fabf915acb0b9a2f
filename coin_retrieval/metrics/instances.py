"""Nuclei as instances: decoded from what a joint model draws, measured, compared.

Instance maps are integers [h w]: 0 is no nucleus, each nucleus has a number of its own.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from coin_retrieval.errors import MissingDependencyError

InstanceMap = NDArray[np.int32]
Points = NDArray[np.float64]
"""float64 [n 2]: x and y, px."""

NUCLEUS = 1
"""The label of nuclei; 0 is background, others are what surrounds nuclei."""

_SEED_LEVEL = 0.4
_LEAST_PX = 12


@dataclass(frozen=True, slots=True)
class NuclearMeasures:
    """What can be counted in one picture; lengths in µm where the scale is known, else in px.

    ``crowding`` is the share of nuclei whose nearest neighbour's centre is closer than 1.5 of their
    mean diameters; ``nc_ratio`` is nuclear area over the area of nuclei and cytoplasm, ``None``
    where no cytoplasm is labelled.
    """

    count: int
    diameter: float
    unit: str
    covered: float
    crowding: float
    nc_ratio: float | None


def decode(
    labels: NDArray[Any], distances: NDArray[Any], *, single_cell: bool = False
) -> InstanceMap:
    """Instances of drawn nuclei: a watershed from the peaks of the distance map.

    Args:
        labels: [h w], :data:`NUCLEUS` where a nucleus is.
        distances: float [h w] in [0, 1], 1 in the middle of each nucleus.
        single_cell: one cell is shown, whose nucleus is one however many lobes it has.

    Raises:
        MissingDependencyError: scipy is not installed.
    """
    inside = labels == NUCLEUS
    if single_cell:
        return renumbered(inside)
    ndimage = _ndimage()
    smooth = ndimage.gaussian_filter(np.where(inside, distances, 0.0), 1.0)
    top = _uphill(np.where(inside, smooth, -1.0))
    summits = (top == np.arange(top.size)).reshape(inside.shape) & inside
    around = np.ones((3, 3))
    seeds, count = ndimage.label(summits & (smooth > _SEED_LEVEL), around)
    # what has no peak is a nucleus all the same
    parts, of = ndimage.label(inside, around)
    for part in set(range(1, of + 1)) - set(np.unique(parts[seeds > 0]).tolist()):
        count += 1
        seeds[parts == part] = count
    found = seeds.ravel()[top].reshape(inside.shape)
    if count:
        # low summits beside a nucleus are its own
        nearest = ndimage.distance_transform_edt(
            seeds == 0, return_distances=False, return_indices=True
        )
        found = np.where(found == 0, seeds[tuple(nearest)], found)
    found = np.where(inside, found, 0)
    sizes = np.bincount(found.ravel())
    found[sizes[found] < _LEAST_PX] = 0
    return renumbered(found)


def renumbered(instances: NDArray[Any]) -> InstanceMap:
    """The same instances, numbered from 1 on without gaps."""
    _, numbers = np.unique(instances, return_inverse=True)
    return np.asarray(numbers.reshape(instances.shape) + (instances.min() > 0), np.int32)


def distance_map(instances: InstanceMap) -> NDArray[np.float32]:
    """Of each pixel of a nucleus to its edge, 1 in that nucleus's middle, float32 [h w].

    Raises:
        MissingDependencyError: scipy is not installed.
    """
    ndimage = _ndimage()
    found = np.zeros(instances.shape, np.float32)
    for number, box in enumerate(ndimage.find_objects(instances), start=1):
        if box is not None:
            own = np.pad(instances[box] == number, 1)
            away = ndimage.distance_transform_edt(own)[1:-1, 1:-1]
            found[box] = np.maximum(found[box], away / away.max())
    return found


def centroids(instances: InstanceMap) -> Points:
    """The middle of each instance, in the order of their numbers."""
    count = int(instances.max(initial=0))
    sizes = np.bincount(instances.ravel(), minlength=count + 1)[1:]
    rows, columns = np.indices(instances.shape)
    sums = [
        np.bincount(instances.ravel(), values.ravel().astype(float), minlength=count + 1)[1:]
        for values in (columns, rows)
    ]
    return np.stack(sums, axis=1) / np.maximum(sizes, 1)[:, None]


def measure(
    instances: InstanceMap, labels: NDArray[Any] | None = None, *, mpp_um: float | None = None
) -> NuclearMeasures:
    """Count, size, crowding and N/C ratio of one picture's nuclei."""
    count = int(instances.max(initial=0))
    areas = np.bincount(instances.ravel(), minlength=count + 1)[1:]
    diameters_px = 2 * np.sqrt(areas / np.pi)
    mean_px = float(diameters_px.mean()) if count else 0.0
    crowded = 0.0
    if count > 1:
        middles = centroids(instances)
        apart = np.linalg.norm(middles[:, None] - middles[None], axis=2)
        np.fill_diagonal(apart, np.inf)
        crowded = float(np.mean(apart.min(axis=1) < 1.5 * mean_px))
    cell = 0 if labels is None else int(np.count_nonzero(labels > NUCLEUS))
    return NuclearMeasures(
        count=count,
        diameter=mean_px * (mpp_um or 1.0),
        unit="µm" if mpp_um else "px",
        covered=float(areas.sum() / instances.size),
        crowding=crowded,
        nc_ratio=float(areas.sum() / (areas.sum() + cell)) if cell else None,
    )


def matched(found: Points, asked: Points, *, within_px: float) -> int:
    """How many pairs of one found and one asked point lie within so many px, nearest first."""
    if not len(found) or not len(asked):
        return 0
    apart = np.linalg.norm(found[:, None] - asked[None], axis=2)
    pairs = 0
    for place in np.argsort(apart, axis=None):
        row, column = divmod(int(place), apart.shape[1])
        if apart[row, column] <= within_px:
            apart[row, :], apart[:, column] = np.inf, np.inf
            pairs += 1
    return pairs


def centroid_f1(found: Points, asked: Points, *, within_px: float) -> float:
    """How well found nuclei obey the asked ones: F1 of matched points; 1 where both are none."""
    total = len(found) + len(asked)
    return 2 * matched(found, asked, within_px=within_px) / total if total else 1.0


def dice(first: NDArray[Any], second: NDArray[Any]) -> float:
    """Of two masks; 1 where both are empty."""
    total = np.count_nonzero(first) + np.count_nonzero(second)
    return float(2 * np.count_nonzero(first & second) / total) if total else 1.0


def aggregated_jaccard(found: InstanceMap, true: InstanceMap) -> float:
    """AJI (Kumar et al. 2017, doi 10.1109/TMI.2017.2677499): 1 where every nucleus is right.

    Each true nucleus takes the found one of greatest overlap; found ones that nobody takes count as
    mistaken area.
    """
    n_true, n_found = int(true.max(initial=0)), int(found.max(initial=0))
    both = np.zeros((n_true + 1, n_found + 1), np.int64)
    np.add.at(both, (true.ravel(), found.ravel()), 1)
    of_true, of_found = both.sum(axis=1), both.sum(axis=0)
    inside = both[1:, 1:]
    unions = of_true[1:, None] + of_found[None, 1:] - inside
    shared, total, taken = 0, 0, set()
    for row in range(n_true):
        column = int(np.argmax(inside[row] / unions[row])) if n_found else -1
        if column < 0 or not inside[row, column]:
            total += int(of_true[row + 1])
            continue
        taken.add(column)
        shared += int(inside[row, column])
        total += int(unions[row, column])
    total += sum(int(of_found[column + 1]) for column in range(n_found) if column not in taken)
    return shared / total if total else 1.0


def _uphill(heights: NDArray[np.float64]) -> NDArray[np.intp]:
    """The place, in the flattened map, of the summit that each pixel climbs to."""
    height, width = heights.shape
    padded = np.pad(heights, 1, constant_values=-np.inf)
    own = [(0, 0), *((i, j) for i in (-1, 0, 1) for j in (-1, 0, 1) if (i, j) != (0, 0))]
    near = [padded[1 + i : 1 + i + height, 1 + j : 1 + j + width] for i, j in own]
    steps = np.array([i * width + j for i, j in own])
    # on a plateau each stays: itself comes first
    top: NDArray[np.intp] = np.arange(heights.size) + steps[np.argmax(near, axis=0).ravel()]
    while not np.array_equal(top, further := top[top]):
        top = further
    return top


def _ndimage() -> Any:
    try:
        from scipy import ndimage
    except ImportError as error:
        raise MissingDependencyError(
            f"nuclei need scipy ({error})", remedy="pip install 'coin-retrieval[systems]'"
        ) from error
    return ndimage
