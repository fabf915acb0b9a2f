"""A small archive of drawn colour patches under a tiny random encoder, and a tiny generator."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest
import timm
import torch
from safetensors.torch import save_file
from tiny_archives import catalog_of, store_of

from coin_retrieval.archive import Archive, ArchiveManifest
from coin_retrieval.archive.manifest import Change, Counts
from coin_retrieval.config import (
    DiffusersGeneratorSettings,
    FaissStoreSettings,
    OpenClipEncoderSettings,
    SqliteCatalogSettings,
    TimmEncoderSettings,
)
from coin_retrieval.encoding.open_clip.encoder import OpenClipEncoder
from coin_retrieval.encoding.timm.encoder import TimmEncoder
from coin_retrieval.generation.diffusers import DiffusersGenerator
from coin_retrieval.types import CaseRecord, EncoderSpec, ImageId, ImageRecord, RgbImage

SITES = ("cervix", "urine", "thyroid")


def patch(number: int) -> RgbImage:
    """A seeded picture: a disc on a ground, colours by number."""
    random = np.random.default_rng(number)
    ground, disc = random.integers(0, 256, (2, 3))
    rows, columns = np.mgrid[:32, :32]
    inside = (rows - 16) ** 2 + (columns - 16) ** 2 < random.integers(40, 150)
    return np.where(inside[..., None], disc, ground).astype(np.uint8)


@pytest.fixture(scope="session")
def encoder_settings(tiny_open_clip_dir: Path) -> OpenClipEncoderSettings:
    return OpenClipEncoderSettings(
        model=str(tiny_open_clip_dir), text_tower="minilm", device="cpu", dtype="float32"
    )


@pytest.fixture(scope="session")
def encoder(encoder_settings: OpenClipEncoderSettings) -> OpenClipEncoder:
    return OpenClipEncoder(encoder_settings)


@pytest.fixture(scope="session")
def vision_encoder(tmp_path_factory: pytest.TempPathFactory) -> TimmEncoder:
    """A tiny random timm model: it embeds pictures and reads no text."""
    checkpoint = tmp_path_factory.mktemp("timm") / "model.safetensors"
    with torch.random.fork_rng():
        torch.manual_seed(0)
        save_file(timm.create_model("test_byobnet").state_dict(), checkpoint)
    return TimmEncoder(
        TimmEncoderSettings(
            model="test_byobnet",
            checkpoint=checkpoint,
            image_size_px=32,
            device="cpu",
            dtype="float32",
        )
    )


@pytest.fixture(scope="session")
def generator(tiny_pipeline_dir: Path) -> DiffusersGenerator:
    return DiffusersGenerator(
        DiffusersGeneratorSettings(
            model=str(tiny_pipeline_dir), text_encoder="minilm", device="cpu", dtype="float32"
        )
    )


@pytest.fixture(scope="session")
def patches() -> list[RgbImage]:
    """The pictures of the archive, by image id."""
    return [patch(i) for i in range(12)]


@pytest.fixture(scope="session")
def archive(
    encoder: OpenClipEncoder,
    encoder_settings: OpenClipEncoderSettings,
    patches: list[RgbImage],
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Archive]:
    """Twelve images of six cases, two each; image i of the archive shows ``patches[i]``."""
    root = tmp_path_factory.mktemp("archive")
    records = [
        ImageRecord(ImageId(i), f"C{i // 2}", f"file:///{i}.png", f"{i:064x}", 32, 32)
        for i in range(12)
    ]
    store = store_of(root, np.arange(12), encoder.encode(patches))
    catalog = catalog_of(root, [CaseRecord(f"C{i}", SITES[i % 3]) for i in range(6)], records)
    yield Archive(root, _manifest(encoder.spec, encoder_settings), store, catalog)
    catalog.close()


def _manifest(spec: EncoderSpec, settings: OpenClipEncoderSettings) -> ArchiveManifest:
    return ArchiveManifest(
        version="000001",
        program="coin-retrieval",
        created_at=datetime.now(UTC),
        encoder=EncoderSpec(**asdict(spec)),
        encoder_settings=settings,
        store=FaissStoreSettings(),
        catalog=SqliteCatalogSettings(),
        change=Change(command="build"),
        segments=(),
        index_kind="flat",
        measured_recall=None,
        counts=Counts(
            rows=12,
            images=12,
            cases=6,
            skipped=0,
            duplicates=0,
            repeated=0,
            generated=0,
            translated=0,
        ),
        sources=(),
        where={},
        demonstration=False,
        files={},
    )
