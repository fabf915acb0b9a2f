"""Pictures that are made before they are searched with: drawn of a layout, or translated."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Lock
from typing import TYPE_CHECKING

from coin_retrieval.errors import UnsupportedError
from coin_retrieval.progress import Progress, silent
from coin_retrieval.prototypes.base import STAGE
from coin_retrieval.prototypes.layouts import checked, layout_of_words
from coin_retrieval.prototypes.made import MadePicture
from coin_retrieval.types import LayoutSource, PictureSource, RgbImage

if TYPE_CHECKING:
    from coin_retrieval.generation.joint import JointGenerator, Pair
    from coin_retrieval.translation.base import Translator

DRAWINGS = 4
"""Of so many drawings of a layout the one is taken that obeys it most."""
_REMEMBERED = 16
_LOOK_S = 0.2


class PictureMaker:
    """Draws layouts of nuclei, and translates pictures. Safe for several threads.

    One picture is made at a time; who waits for its turn is told of no step, and may leave.

    Args:
        layouts, translator: ``None``: it cannot.
    """

    def __init__(
        self, layouts: JointGenerator | None = None, translator: Translator | None = None
    ) -> None:
        self.layouts = layouts
        self.translator = translator
        self._turn = Lock()
        # marks ask again with the same drawing; of translations, which show patients, none is kept
        self._drawn: OrderedDict[tuple[LayoutSource, int, int], Pair] = OrderedDict()

    def load(self) -> None:
        """Load the networks now.

        Raises:
            ModelError, SettingsError: weights or settings that do not fit.
            MissingDependencyError: what finds nuclei is not installed.
        """
        for one in (self.layouts, self.translator):
            if one is not None:
                one.load()

    def layout(self, asked: str | LayoutSource, *, seed: int = 0) -> LayoutSource:
        """A layout that can be drawn here, of words or of points whose kind may be left empty.

        Raises:
            UnsupportedError: nothing here draws layouts.
            InputError: words that are none, or a kind that the model does not know.
        """
        kinds = self.need_layouts().config.kinds
        if isinstance(asked, str):
            return layout_of_words(asked, kinds, seed=seed)
        points = tuple((x, y, kind or kinds[0]) for x, y, kind in asked.points)
        return checked(LayoutSource(points, asked.text), kinds)

    def pair(
        self, layout: LayoutSource, *, n: int = DRAWINGS, seed: int = 0, on: Progress = silent
    ) -> Pair:
        """Of ``n`` drawings the one whose nuclei lie most as they were asked.

        Args:
            on: told of every step; what it raises ends the drawing, or the wait for its turn.

        Raises:
            UnsupportedError, InputError: as :meth:`layout` does.
            GenerationError: non-finite values.
        """
        generator, key = self.need_layouts(), (layout, n, seed)
        with self._in_turn(on):
            if key not in self._drawn:
                self._drawn[key] = generator.best(layout, n=n, seed=seed, on=on)
            self._drawn.move_to_end(key)
            if len(self._drawn) > _REMEMBERED:
                self._drawn.popitem(last=False)
            return self._drawn[key]

    def drawn(self, layout: LayoutSource, *, seed: int = 0, on: Progress = silent) -> MadePicture:
        """The picture of a layout, to search with. Raises as :meth:`pair` does."""
        return self.pair(layout, seed=seed, on=on).made()

    def translated(self, image: RgbImage, *, seed: int = 0, on: Progress = silent) -> MadePicture:
        """A picture as one of the kind that the archive holds; it is kept nowhere.

        Args:
            seed: which of the square's eight orientations it is translated in.

        Raises:
            UnsupportedError: nothing here translates.
            GenerationError: it came out blank.
        """
        translator = self.need_translator()
        plans = translator.plan(PictureSource.of(image), n=1, seed=seed)
        with self._in_turn(on):
            (sample,) = translator.draw(plans, on=on)
        return MadePicture(sample, field_px=min(image.shape[:2]))

    def need_translator(self) -> Translator:
        """What translates.

        Raises:
            UnsupportedError: nothing does.
        """
        if self.translator is not None:
            return self.translator
        raise UnsupportedError(
            "nothing here translates pictures",
            expected="a translator, such as coin train cyclegan makes",
            remedy="search with the picture as it is, or name a translator (--translate)",
        )

    def need_layouts(self) -> JointGenerator:
        """What draws layouts.

        Raises:
            UnsupportedError: nothing does.
        """
        if self.layouts is not None:
            return self.layouts
        raise UnsupportedError(
            "nothing here draws layouts of nuclei",
            expected="a layout model, such as coin train joint makes",
            remedy="search with a report or a picture, or name a layout model (--layout-model)",
        )

    @contextmanager
    def _in_turn(self, on: Progress) -> Iterator[None]:
        while not self._turn.acquire(timeout=_LOOK_S):
            # so that a listener can leave the line, too
            on(STAGE, 0, 1)
        try:
            yield
        finally:
            self._turn.release()
