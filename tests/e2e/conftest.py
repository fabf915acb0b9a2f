"""An archive that ``coin-index`` has built, and ``coin-serve`` in front of it."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from e2e.served import Server, command, environment
from unit.server.ground import write_sources

from coin_retrieval.testing import tiny_models


@dataclass(frozen=True)
class ServedFiles:
    """What a server of the tests is started with."""

    sources: Path
    archive: Path
    generator: str
    cache: Path


@pytest.fixture(scope="session")
def served_files(
    tiny_open_clip_dir: Path, tiny_pipeline_dir: Path, tmp_path_factory: pytest.TempPathFactory
) -> ServedFiles:
    """Six pictures of five cases, indexed by the command line, and a tiny random generator."""
    folder = tmp_path_factory.mktemp("served")
    table = write_sources(folder / "sources")
    files = ServedFiles(
        sources=table.parent,
        archive=folder / "archive",
        generator=f"{tiny_pipeline_dir}?text_encoder=minilm",
        cache=folder / "cache",
    )
    encoder = f"open_clip:{tiny_open_clip_dir}?text_tower=minilm"
    build = command("indexer.cli", "build", str(files.archive), str(table), "--encoder", encoder)
    done = subprocess.run(
        build, env=environment(files.cache), capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return files


@pytest.fixture(scope="session")
def server(served_files: ServedFiles) -> Iterator[Server]:
    """A server that is ready."""
    options = ("--generator", served_files.generator)
    with Server(served_files.archive, *options, cache=served_files.cache) as running:
        running.wait_until_ready()
        yield running


@dataclass(frozen=True)
class Makers:
    """Tiny random models that draw layouts and translate: directories."""

    layouts: Path
    translator: Path


@pytest.fixture(scope="session")
def makers(tmp_path_factory: pytest.TempPathFactory) -> Makers:
    """Models of pictures to search with."""
    folder = tmp_path_factory.mktemp("makers")
    return Makers(
        tiny_models.write_joint_dir(folder / "joint"),
        tiny_models.write_cyclegan_dir(folder / "gan"),
    )


@pytest.fixture(scope="session")
def making(served_files: ServedFiles, makers: Makers) -> Iterator[Server]:
    """A server that draws layouts and translates."""
    options = (
        *("--generator", served_files.generator),
        *("--layout-model", str(makers.layouts), "--translate", str(makers.translator)),
    )
    with Server(served_files.archive, *options, cache=served_files.cache) as running:
        running.wait_until_ready()
        yield running
