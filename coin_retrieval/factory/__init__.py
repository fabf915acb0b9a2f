"""Settings → objects. Vendors are imported inside functions: none loads before it is chosen."""

from coin_retrieval.factory.archives import (
    drop_others,
    join_stores,
    make_catalog_writer,
    make_store_writer,
    open_archive,
    open_catalog,
    open_records,
    open_store,
    point_alias,
)
from coin_retrieval.factory.models import (
    make_encoder,
    make_generator,
    make_layout_generator,
    make_translator,
    parse_encoder,
    parse_generator,
    starter_encoder_settings,
    starter_generator_settings,
)
from coin_retrieval.factory.searching import (
    make_drawer,
    make_picture_maker,
    make_retriever,
)

__all__ = [
    "drop_others",
    "join_stores",
    "make_catalog_writer",
    "make_drawer",
    "make_encoder",
    "make_generator",
    "make_layout_generator",
    "make_picture_maker",
    "make_retriever",
    "make_store_writer",
    "make_translator",
    "open_archive",
    "open_catalog",
    "open_records",
    "open_store",
    "parse_encoder",
    "parse_generator",
    "point_alias",
    "starter_encoder_settings",
    "starter_generator_settings",
]
