"""An archive and models → what draws and what searches."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from coin_retrieval.config import EncoderSettings, FusionSettings, GeneratorSettings
from coin_retrieval.factory.models import (
    make_encoder,
    make_generator,
    make_layout_generator,
    make_translator,
)

if TYPE_CHECKING:
    from coin_retrieval.archive import Archive
    from coin_retrieval.prototypes.drawer import PrototypeDrawer
    from coin_retrieval.search.making import PictureMaker
    from coin_retrieval.search.retriever import Retriever


def make_drawer(
    generator: GeneratorSettings, *, cache_dir: Path, cache_bytes: int | None = None
) -> PrototypeDrawer:
    """A drawer of prototypes, for which no archive is needed. Raises as the generator does."""
    from coin_retrieval.prototypes.cache import PrototypeCache
    from coin_retrieval.prototypes.drawer import PrototypeDrawer

    return PrototypeDrawer(
        make_generator(generator), PrototypeCache(cache_dir, max_bytes=cache_bytes)
    )


def make_picture_maker(
    *, layout_model: Path | None = None, translator: Path | None = None
) -> PictureMaker:
    """What makes pictures to search with; ``None``: it cannot make such.

    Args:
        layout_model: a directory that ``coin train joint`` wrote.
        translator: a directory that ``coin train cyclegan`` wrote, or settings of style transfer.

    Raises:
        SettingsError: settings that cannot be read.
        WeightsError: no such model, or weights that do not fit.
    """
    from coin_retrieval.search.making import PictureMaker

    return PictureMaker(
        make_layout_generator(layout_model) if layout_model else None,
        make_translator(translator) if translator else None,
    )


def make_retriever(
    archive: Archive,
    *,
    cache_dir: Path,
    cache_bytes: int | None = None,
    encoder: EncoderSettings | None = None,
    generator: GeneratorSettings | None = None,
    fusion: FusionSettings | None = None,
    drawn_together: int | None = None,
    maker: PictureMaker | None = None,
) -> Retriever:
    """A retriever on an opened archive.

    Args:
        cache_dir: where prototypes are kept.
        cache_bytes: beyond it, those go that were not used for longest; ``None`` keeps all.
        encoder: ``None`` takes the one that built the archive.
        generator: ``None`` searches by text and image only.
        drawn_together: pictures that several threads' searches are drawn in one batch, at most;
            ``None`` draws for one search at a time, in the generator's own batches.
        fusion: ``None`` takes what the archive was calibrated to, else the defaults.
        maker: makes pictures to search with, for who asks for such.

    Raises:
        EncoderMismatchError: the encoder named is not the archive's.
        ModelError: weights that cannot be used.
    """
    from coin_retrieval.prototypes.cache import PrototypeCache
    from coin_retrieval.prototypes.shared import SharedPrototyper
    from coin_retrieval.search.retriever import Retriever

    draws = make_generator(generator) if generator else None
    if draws is not None and drawn_together is not None:
        draws = SharedPrototyper(draws, batch_size=drawn_together)
    return Retriever(
        archive,
        make_encoder(encoder or archive.manifest.encoder_settings),
        draws,
        PrototypeCache(cache_dir, max_bytes=cache_bytes),
        fusion,
        maker,
    )
