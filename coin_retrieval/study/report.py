"""A study's figures as a report: Markdown, and plots beside it."""

from __future__ import annotations

from collections.abc import Callable

from coin_retrieval.metrics.intervals import Estimate
from coin_retrieval.study.figures import DiagnosisFigures, Gain, RealOrDrawnFigures

PLOT = "study.png"
_CHANCE = 0.5


def to_markdown(figures: DiagnosisFigures | RealOrDrawnFigures) -> str:
    """The report, with a place for its plot."""
    if isinstance(figures, RealOrDrawnFigures):
        return _real_or_drawn(figures)
    return _diagnosis(figures)


def plot_png(figures: DiagnosisFigures | RealOrDrawnFigures) -> bytes:
    """Estimates with their intervals, as PNG bytes."""
    from matplotlib.figure import Figure

    from coin_retrieval.evaluation.extras import BLUE, png_of

    rows: list[tuple[str, Estimate]]
    if isinstance(figures, RealOrDrawnFigures):
        label, chance = "told rightly (0.5 is chance)", _CHANCE
        rows = [
            ("all", figures.accuracy),
            ("drawn", figures.drawn_told),
            ("real", figures.real_told),
        ]
        rows += [(f"{name} (n = {n})", found) for name, n, found in figures.by_finding]
    else:
        label, chance = "gain by retrieval", 0.0
        rows = [("first answer", figures.first.gain), ("truth among three", figures.any.gain)]
        groups = [*figures.by_rarity, *figures.by_finding]
        rows += [(f"{one.group} (n = {one.items})", one.first.gain) for one in groups]
    page = Figure(figsize=(7, 0.34 * len(rows) + 1.1), layout="constrained")
    axes = page.subplots()
    for place, (_, found) in enumerate(rows):
        axes.plot([found.low, found.high], [place, place], color=BLUE, linewidth=2)
        axes.plot(found.mean, place, "o", color=BLUE)
    axes.axvline(chance, color="black", linewidth=0.8, linestyle="--")
    axes.set_yticks(range(len(rows)), [name for name, _ in rows])
    axes.invert_yaxis()
    axes.set_xlabel(f"{label}, 95 % interval")
    return png_of(page)


def _diagnosis(figures: DiagnosisFigures) -> str:
    def row(name: str, gain: Gain, show: Callable[[Estimate], str] = str) -> str:
        return (
            f"| {name} | {show(gain.without)} | {show(gain.aided)} | {gain.gain.signed_markdown} |"
        )

    head = ["", "without", "with retrieval", "paired difference"]
    lines = [
        f"# {figures.title}",
        "",
        "Diagnosis without and with retrieval, in a crossover: "
        f"{figures.readers} readers, {figures.items} pictures, {figures.readings} of "
        f"{figures.planned} readings answered, {figures.pairs} pairs.",
        _intervals(readers_drawn=figures.readers_drawn),
        "",
        _table(head),
        row("first answer right", figures.first),
        row("truth among three answers", figures.any),
        row("agreement between readers (Cohen's kappa)", figures.kappa),
        row("confidence (1 to 5)", figures.confidence),
        row("seconds a picture", figures.seconds),
        "",
        f"Time with over without retrieval: {figures.time_ratio} (geometric mean; Wilcoxon "
        f"signed-rank p = {figures.time_p:.3g}).",
        "",
        f"![Gains with 95 % intervals]({PLOT})",
        "",
        "## By how rare a diagnosis is in the archive",
        "",
        _table(["", "pictures", "without", "with retrieval", "paired difference"]),
        *(_group(one.group, one.items, one.first) for one in figures.by_rarity),
        "",
        "## By diagnosis",
        "",
        _table(["", "pictures", "without", "with retrieval", "paired difference"]),
        *(_group(one.group, one.items, one.first) for one in figures.by_finding),
        "",
        "## By reader",
        "",
        _table(["", "without", "with retrieval", "mended", "spoilt", "p (exact McNemar)"]),
        *(
            f"| {one.reader} | {one.without:.3f} | {one.aided:.3f} | {one.mended} | {one.spoilt} | "
            f"{one.p:.3g} |"
            for one in figures.by_reader
        ),
        "",
        "## By period",
        "",
        "A carry-over from the first period would show here.",
        "",
        _table(["period", "without", "with retrieval"]),
        *(f"| {one.period} | {one.without:.3f} | {one.aided:.3f} |" for one in figures.by_period),
        "",
    ]
    return "\n".join(lines)


def _real_or_drawn(figures: RealOrDrawnFigures) -> str:
    named = [
        ("told rightly", figures.accuracy),
        ("drawn pictures called drawn", figures.drawn_told),
        ("real pictures called real", figures.real_told),
        ("AUROC of confidence", figures.auroc),
        ("agreement between readers (Cohen's kappa)", figures.kappa),
        ("seconds a picture", figures.seconds),
    ]
    lines = [
        f"# {figures.title}",
        "",
        f"Real or drawn, blinded: {figures.readers} readers, {figures.items} pictures, "
        f"{figures.readings} of {figures.planned} readings answered. Chance is 0.5: an interval "
        "that holds it shows no difference that these readers saw; it does not show that there is "
        "none.",
        _intervals(readers_drawn=figures.readers_drawn),
        "",
        _table(["", "estimate"]),
        *(f"| {name} | {found} |" for name, found in named),
        "",
        f"![Shares told rightly, with 95 % intervals]({PLOT})",
        "",
        "## By finding",
        "",
        _table(["", "pictures", "told rightly"]),
        *(f"| {name} | {n} | {found} |" for name, n, found in figures.by_finding),
        "",
        "## By reader",
        "",
        _table(["", "told rightly"]),
        *(f"| {name} | {found} |" for name, found in figures.by_reader),
        "",
    ]
    return "\n".join(lines)


def _intervals(*, readers_drawn: bool) -> str:
    if readers_drawn:
        return "Intervals: 95 %, bootstrap over pictures and readers, of readers like these."
    return "Intervals: 95 %, bootstrap over pictures; with so few readers they speak of these only."


def _table(names: list[str]) -> str:
    return f"| {' | '.join(names)} |\n|{'---|' * len(names)}"


def _group(name: str, items: int, gain: Gain) -> str:
    return f"| {name} | {items} | {gain.without} | {gain.aided} | {gain.gain.signed_markdown} |"
