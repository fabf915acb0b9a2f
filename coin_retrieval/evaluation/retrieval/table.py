"""Figures of retrieval as Markdown: one table of classes, one of modes, one of differences."""

from __future__ import annotations

from coin_retrieval.evaluation.retrieval.figures import FIGURES, RetrievalFigures, title


def to_markdown(figures: RetrievalFigures) -> str:
    """P@k by class, every macro figure by mode, and what one mode has over another.

    Intervals are 95 % bootstrap intervals; a difference whose interval holds no 0 is bold.
    """
    tables = [_by_class(figures), _by_mode(figures)]
    if figures.differences:
        tables.append(_differences(figures))
    if figures.undrawn:
        tables.append(
            f"{figures.undrawn} further reports were not asked: the archive's encoder reads no "
            "text, and the generator never learned to draw them.\n"
        )
    return "\n".join(tables)


def _by_class(figures: RetrievalFigures) -> str:
    modes = figures.modes
    found = {(m.mode, c.label): c for m in modes for c in m.classes}
    lines = _head(f"P@{figures.k} by {figures.by}", "cases", *(m.mode for m in modes))
    for label in sorted({c.label for mode in modes for c in mode.classes}):
        cells = [found.get((m.mode, label)) for m in modes]
        cases = next(cell.cases for cell in cells if cell)
        lines.append(_row(label, str(cases), *(f"{c.precision:.2f}" if c else "–" for c in cells)))
    macro = [f"**{m.precision:.3f}**" for m in modes]
    return "\n".join([*lines, _row("**macro**", "", *macro)]) + "\n"


def _by_mode(figures: RetrievalFigures) -> str:
    lines = _head("macro (95 % interval)", *(mode.mode for mode in figures.modes))
    lines.append(_row("queries", *(str(mode.queries) for mode in figures.modes)))
    for figure in FIGURES:
        cells = [str(mode.estimate(figure)) for mode in figures.modes]
        lines.append(_row(title(figure, figures.k), *cells))
    return "\n".join(lines) + "\n"


def _differences(figures: RetrievalFigures) -> str:
    pairs = figures.differences
    names = [f"{pair.mode} − {pair.baseline}" for pair in pairs]
    lines = _head("paired difference (95 % interval)", *names)
    for figure in FIGURES:
        cells = [pair.figures[figure].signed_markdown for pair in pairs]
        lines.append(_row(title(figure, figures.k), *cells))
    return "\n".join(lines) + "\n"


def _head(*cells: str) -> list[str]:
    return [_row(*cells), "|" + "---|" * len(cells)]


def _row(*cells: str) -> str:
    return "| " + " | ".join(cell.replace("|", "/") for cell in cells) + " |"
