"""The plot of an augmentation experiment: accuracy over real pictures a class."""

from __future__ import annotations

from coin_retrieval.evaluation.augmentation.figures import AugmentationFigures
from coin_retrieval.evaluation.extras import BLUE, GREEN, ORANGE, png_of

_APART = 0.06


def augmentation_png(figures: AugmentationFigures) -> bytes:
    """A line without and one with generated pictures, a dot a seed; generated only as a level."""
    from matplotlib.figure import Figure

    places = {gain.shots: place for place, gain in enumerate(figures.gains)}
    page = Figure(figsize=(6.4, 4.2), layout="constrained")
    axes = page.subplots()
    for generated, colour, label in ((False, BLUE, "real"), (True, ORANGE, "real + generated")):
        shown = [
            one
            for one in figures.regimes
            if one.shots in places and one.shots != 0 and (one.generated > 0) == generated
        ]
        # beside each other, so that equal ones both show
        at = [places[one.shots] + (_APART if generated else -_APART) for one in shown]
        axes.errorbar(
            at,
            [one.mean for one in shown],
            [one.sd or 0.0 for one in shown],
            color=colour,
            capsize=3,
            marker="o",
            label=label,
        )
        for place, one in zip(at, shown, strict=True):
            axes.scatter([place] * len(one.accuracies), one.accuracies, 12, colour, alpha=0.5)
    (alone,) = (one for one in figures.regimes if one.shots == 0)
    axes.axhline(alone.mean, color=GREEN, linestyle="--", label="generated only")
    ticks = ["all" if shots is None else str(shots) for shots in places]
    axes.set_xticks(list(places.values()), ticks)
    axes.set_xlabel("real training pictures a class")
    axes.set_ylabel(f"macro accuracy by {figures.by}, real test pictures")
    axes.grid(axis="y", alpha=0.3)
    axes.legend(frameon=False)
    return png_of(page)
