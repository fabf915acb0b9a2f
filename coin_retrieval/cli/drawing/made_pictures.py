"""Pictures to search with that are made first: drawn of a layout, or translated."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from coin_retrieval.errors import InputError

if TYPE_CHECKING:
    from coin_retrieval.prototypes.made import MadePicture
    from coin_retrieval.types import RgbImage


@dataclass(frozen=True, slots=True)
class Making:
    """How the picture of a search is made; all ``None``: it is searched as it is."""

    translate: Path | None = None
    layout: str | None = None
    layout_model: Path | None = None

    def require(self, image: Path | None, *, here: bool) -> None:
        """Refuse what cannot be made, ``here`` or by a server, which has its own model of layouts.

        Raises:
            InputError: a translation of no picture, or a layout without its model or beside one.
        """
        if self.translate is not None and image is None:
            raise InputError("there is nothing to translate", expected="--image FILE beside it")
        if here and (self.layout is None) != (self.layout_model is None):
            raise InputError(
                "a layout and what draws it go together",
                value="--layout" if self.layout is not None else "--layout-model",
                expected="--layout TEXT --layout-model DIRECTORY",
            )
        if self.layout is not None and image is not None:
            raise InputError(
                "one picture is searched with",
                value="--layout with --image",
                expected="one of them",
            )


def make_picture(
    making: Making, image: Path | None, *, seed: int, save: Path | None
) -> tuple[RgbImage | MadePicture | None, float | None]:
    """The picture to search with, and micrometres a pixel where its file says so.

    What was made is kept in ``save``.

    Raises:
        InputError, ImageError, ModelError: as :mod:`coin_retrieval.api.made_pictures` says.
    """
    from coin_retrieval.images.containers import asked_picture

    picture, mpp_um = (None, None) if image is None else asked_picture(image)
    if making.translate is None and making.layout is None:
        return picture, mpp_um
    from coin_retrieval.api.made_pictures import draw_layout, translated
    from coin_retrieval.console.session import working

    made: MadePicture | None = None
    with working("drawing the picture to search with"):
        if making.layout is not None and making.layout_model is not None:
            made = draw_layout(making.layout, model=making.layout_model, seed=seed).pair.made()
        elif picture is not None and making.translate is not None:
            made = translated(picture, model=making.translate, seed=seed)
    if save is not None and made is not None:
        from coin_retrieval.prototypes.cache import encode_synthetic

        keep(encode_synthetic(made.image), save)
    return made, mpp_um


def kept_in(save: Path) -> Path:
    """Where the picture that was made for a search is kept."""
    return save / "searched_with.png"


def keep(made: bytes, save: Path) -> Path:
    """Write the file of a made picture to where it is kept, and say where that is.

    Raises:
        InputError: the directory cannot be written.
    """
    from coin_retrieval.files import replace_file
    from coin_retrieval.presenting.saving import not_writable

    file = kept_in(save)
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        replace_file(file, made)
    except OSError as error:
        raise not_writable(save, error) from error
    return file
