"""Prototypes drawn from Python."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Any

from PIL import Image

from coin_retrieval.api.arguments import AnyPath, generator_settings, listener, prototype_dir, whole
from coin_retrieval.api.page import data_uri, render
from coin_retrieval.errors import ReportError
from coin_retrieval.factory import make_drawer
from coin_retrieval.images.decoding import load_image
from coin_retrieval.presenting.answering import to_drawing_answer

if TYPE_CHECKING:
    from coin_retrieval.config import GeneratorSettings
    from coin_retrieval.progress import Progress
    from coin_retrieval.prototypes import prototype

_drawer = lru_cache(maxsize=1)(make_drawer)
"""The generator that was used last stays loaded."""


def draw(
    report: str,
    *,
    n: int = 4,
    seed: int = 0,
    generator: str | GeneratorSettings = "starter",
    cache: AnyPath | None = None,
    on: Progress | None = None,
) -> DrawnPrototypes:
    """Draw synthetic prototypes of a report, from seeds ``seed`` … ``seed + n - 1``.

    Args:
        generator: what draws, by its short name or settings.
        cache: where prototypes are kept; ``None`` is where the command line keeps them.
        on: told of every step as (stage, done, of).

    Raises:
        ReportError, InputError: a report, ``n`` or ``seed`` that cannot be used.
        SettingsError, ModelError: a generator that cannot be used, or a blank picture.
    """
    if not isinstance(report, str):
        raise ReportError(
            "the report is no text", value=type(report).__name__, expected="a report as str"
        )
    drawer = _drawer(generator_settings(generator), cache_dir=prototype_dir(cache))
    n, seed = whole(n, what="n"), whole(seed, what="the seed")
    return DrawnPrototypes(drawer.draw(report, n=n, seed=seed, on=listener(on)))


class DrawnPrototypes:
    """Synthetic pictures of a report: never a patient's cells."""

    def __init__(self, drawn: prototype.Drawing) -> None:
        self.drawn = drawn

    @property
    def prototypes(self) -> tuple[prototype.Prototype, ...]:
        """Each with its file, its id and how it was made."""
        return self.drawn.prototypes

    @property
    def images(self) -> list[Image.Image]:
        """The pictures.

        Raises:
            ImageError: one has left the cache.
        """
        return [Image.fromarray(load_image(one.path)) for one in self.prototypes]

    def to_dict(self) -> dict[str, Any]:
        """As ``coin generate --json`` prints it."""
        return to_drawing_answer(self.drawn).model_dump(mode="json")

    def __len__(self) -> int:
        return len(self.prototypes)

    def __repr__(self) -> str:
        seeds = ", ".join(str(one.provenance.seed) for one in self.prototypes)
        return f"<{len(self)} synthetic prototypes, seeds {seeds}>"

    def _repr_html_(self) -> str:
        return render(
            "drawing.html",
            answer=to_drawing_answer(self.drawn),
            pictures=[data_uri(load_image(one.path)) for one in self.prototypes],
        )
