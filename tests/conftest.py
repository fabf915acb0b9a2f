"""Fixtures that every test may use, and what is left out where its material is absent."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

# before torch is imported anywhere: tests run side by side, one thread each
os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("HF_HUB_OFFLINE", "1")

import pytest
from hypothesis import settings
from servers import Milvus, ObjectStore, Postgres

from coin_retrieval.testing import tiny_models

# no test measures time: a busy machine is not a fault of the program
settings.register_profile("untimed", deadline=None)
settings.load_profile("untimed")

ROOT = Path(__file__).parents[1]


def _beside(variable: str, default: str) -> Path:
    path = Path(os.environ.get(variable, default))
    return path if path.is_absolute() else (ROOT / path).resolve()


DATA = _beside("COIN_DATA", "../shared/data")
FORMATS = _beside("COIN_CONFORMANCE", "../shared/conformance")
WEIGHTS = _beside("COIN_WEIGHTS", "../shared/weights")
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Deselect tests whose material is not here; the count shows in the summary."""
    present = {
        "data": DATA.is_dir(),
        "weights": WEIGHTS.is_dir(),
        "gpu": _gpu(items),
        "browser": CHROMIUM is not None,
    }
    kept, left_out = [], []
    for item in items:
        usable = all(here for mark, here in present.items() if item.get_closest_marker(mark))
        (kept if usable else left_out).append(item)
    if left_out:
        config.hook.pytest_deselected(items=left_out)
    # last: once a browser was started its event loop runs on, and no other may run beside it
    items[:] = sorted(kept, key=lambda item: item.get_closest_marker("browser") is not None)


def _gpu(items: list[pytest.Item]) -> bool:
    if not any(item.get_closest_marker("gpu") for item in items):
        return False
    import torch

    return torch.cuda.is_available()


@pytest.fixture(scope="session")
def browser_type_launch_args(browser_type_launch_args: dict[str, Any]) -> dict[str, Any]:
    """The system's own Chromium: nothing is downloaded, and root may run it."""
    return {**browser_type_launch_args, "executable_path": CHROMIUM, "args": ["--no-sandbox"]}


@pytest.fixture(scope="session")
def data_root() -> Path:
    """Real images with their manifests; for tests marked ``data``."""
    return DATA


@pytest.fixture(scope="session")
def formats_root() -> Path:
    """Small real files of many formats: slides, DICOM instances, shards."""
    if not FORMATS.is_dir():
        pytest.skip(f"no files of other programs in {FORMATS} (COIN_CONFORMANCE)")
    return FORMATS


@pytest.fixture(scope="session")
def weights_root() -> Path:
    """Pretrained weights; for tests marked ``weights``."""
    return WEIGHTS


@pytest.fixture(scope="session")
def milvus(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Milvus]:
    """A running Milvus."""
    server = Milvus(tmp_path_factory.mktemp("milvus"))
    yield server
    server.stop()


@pytest.fixture(scope="session")
def postgres() -> Iterator[Postgres]:
    """A running PostgreSQL. A test that kills it starts it again."""
    server = Postgres(Path(tempfile.mkdtemp(prefix="coin-postgres-")))
    yield server
    server.stop()


@pytest.fixture(scope="session")
def object_store() -> Iterator[ObjectStore]:
    """A running server that answers like S3."""
    server = ObjectStore()
    yield server
    server.stop()


@pytest.fixture(scope="session")
def tiny_open_clip_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A random open_clip model directory: tiny timm vision tower at 32 px, MiniLM text tower.

    Load with ``OpenClipEncoderSettings(model=str(directory), text_tower="minilm")``.
    """
    return tiny_models.write_open_clip_dir(tmp_path_factory.mktemp("open_clip"))


@pytest.fixture(scope="session")
def tiny_pipeline_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A random Stable Diffusion directory without a text encoder: 32 px pictures in 2 steps.

    Load with ``DiffusersGeneratorSettings(model=str(directory), text_encoder="minilm")``.
    """
    return tiny_models.write_sentence_pipeline_dir(tmp_path_factory.mktemp("pipeline"))


@pytest.fixture(scope="session")
def tiny_sdxl_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A random, complete Stable Diffusion XL directory: 32 px pictures, 77 letters a window."""
    return tiny_models.write_sdxl_dir(tmp_path_factory.mktemp("sdxl"))


@pytest.fixture(scope="session")
def tiny_lora_file(tiny_sdxl_dir: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A random LoRA of :func:`tiny_sdxl_dir`'s U-Net and first text encoder."""
    return tiny_models.write_lora(tmp_path_factory.mktemp("lora"), tiny_sdxl_dir)


@pytest.fixture(scope="session")
def tiny_clip_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A random CLIP directory with its own text tower of 16 tokens."""
    return tiny_models.write_clip_dir(tmp_path_factory.mktemp("clip"))


@pytest.fixture(scope="session")
def tiny_timm_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A random timm directory with a classifier of 7 classes."""
    return tiny_models.write_timm_dir(tmp_path_factory.mktemp("timm"))
