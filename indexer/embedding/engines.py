"""What embeds: this process, or actors of Ray."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeAlias

from coin_retrieval.archive.layout import ArchiveLayout
from coin_retrieval.encoding.base import Encoder
from indexer.choices import BuildSettings
from indexer.embedding.contents import EmbeddedContents
from indexer.embedding.embedding import RowEmbedder
from indexer.embedding.pictures import PictureReader

if TYPE_CHECKING:
    from indexer.embedding.ray_embedding import RayEmbedder

Embedder: TypeAlias = "RowEmbedder | RayEmbedder"


def make_embedder(
    settings: BuildSettings, encoder: Encoder, layout: ArchiveLayout, contents: EmbeddedContents
) -> Embedder:
    """An embedder of rows, whose batches go into the journal of ``contents``."""
    batch_size, workers = settings.batch_size, settings.workers
    if settings.engine == "ray":
        from indexer.embedding.ray_embedding import RayEmbedder

        return RayEmbedder(
            settings.encoder,
            encoder.spec,
            layout.address,
            contents=contents,
            batch_size=batch_size,
            workers=workers,
        )
    ahead = batch_size + 2 * workers
    return RowEmbedder(
        encoder,
        PictureReader(layout, contents.__contains__, workers=workers, ahead=ahead),
        embedded=contents.known,
        keep=contents.journal.write,
        batch_size=batch_size,
    )
