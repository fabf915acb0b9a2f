"""A real archive of drawn discs, tiny random models, and the server in front of them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient
from unit.server.ground import MakeApp, serving, write_sources

from coin_retrieval.config import (
    DiffusersGeneratorSettings,
    FaissStoreSettings,
    FusionSettings,
    OpenClipEncoderSettings,
)
from coin_retrieval.encoding.base import Encoder
from coin_retrieval.encoding.open_clip.encoder import OpenClipEncoder
from coin_retrieval.factory import open_archive
from coin_retrieval.generation.diffusers import DiffusersGenerator
from coin_retrieval.prototypes.base import Prototyper
from coin_retrieval.prototypes.cache import PrototypeCache
from coin_retrieval.search.retriever import Retriever
from indexer.building import BuildSettings, build
from indexer.rows import read_sources
from server.app import create_app
from server.limits import ServerLimits


@pytest.fixture(scope="session")
def encoder_settings(tiny_open_clip_dir: Path) -> OpenClipEncoderSettings:
    return OpenClipEncoderSettings(
        model=str(tiny_open_clip_dir), text_tower="minilm", device="cpu", dtype="float32"
    )


@pytest.fixture(scope="session")
def encoder(encoder_settings: OpenClipEncoderSettings) -> Encoder:
    return OpenClipEncoder(encoder_settings)


@pytest.fixture(scope="session")
def generator(tiny_pipeline_dir: Path) -> Prototyper:
    return DiffusersGenerator(
        DiffusersGeneratorSettings(
            model=str(tiny_pipeline_dir), text_encoder="minilm", device="cpu", dtype="float32"
        )
    )


@pytest.fixture(scope="session")
def make_archive(
    encoder: Encoder, encoder_settings: OpenClipEncoderSettings
) -> Callable[[Path], Path]:
    """Writes the pictures and their manifest below a folder, and indexes them."""

    def make(folder: Path) -> Path:
        table, root = write_sources(folder / "sources"), folder / "archive"
        build(
            root,
            read_sources([table], archive=root, where={}),
            encoder=encoder,
            settings=BuildSettings(encoder_settings, FaissStoreSettings(), workers=1),
            where={},
        )
        return root

    return make


@pytest.fixture(scope="session")
def archive_dir(
    make_archive: Callable[[Path], Path], tmp_path_factory: pytest.TempPathFactory
) -> Path:
    """Six pictures of five cases; nobody changes it."""
    return make_archive(tmp_path_factory.mktemp("served"))


@pytest.fixture(scope="session")
def make_retriever(
    encoder: Encoder, tmp_path_factory: pytest.TempPathFactory
) -> Callable[[Path, Prototyper | None], Retriever]:
    """A retriever on an archive's folder, with a prototype cache of its own."""

    def make(root: Path, generator: Prototyper | None) -> Retriever:
        cache = PrototypeCache(tmp_path_factory.mktemp("cache"))
        return Retriever(open_archive(root), encoder, generator, cache, FusionSettings())

    return make


@pytest.fixture(scope="session")
def make_app(
    archive_dir: Path, make_retriever: Callable[[Path, Prototyper | None], Retriever]
) -> MakeApp:
    """An application on :func:`archive_dir`, with what it is given."""

    def make(generator: Prototyper | None = None, **options: Any) -> FastAPI:
        return create_app(lambda: make_retriever(archive_dir, generator), **options)

    return make


@pytest.fixture(scope="session")
def client(generator: Prototyper, make_app: MakeApp) -> Iterator[TestClient]:
    """The server with everything it can have."""
    app = make_app(generator, limits=ServerLimits(upload_bytes=300_000, json_bytes=100_000))
    with serving(app) as running:
        yield running
