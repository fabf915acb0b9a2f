"""The same archive, whatever embeds; Ray is a real one, started once."""

from __future__ import annotations

import os
import pickle
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from servers import without
from tiny_archives import write_picture, write_table

from coin_retrieval.archive.layout import NOTES, SKIPPED, ArchiveLayout
from coin_retrieval.archive.verify import verify
from coin_retrieval.errors import EncoderMismatchError, MissingDependencyError
from coin_retrieval.factory import open_archive
from coin_retrieval.types import ImageId
from indexer import build
from indexer.embedding import ray_embedding

pytestmark = pytest.mark.xdist_group("ray")


@pytest.fixture(scope="module")
def ray() -> Iterator[Any]:
    if find_spec("ray") is None:
        without("Ray is not installed: pip install ray[data]")
    with ray_embedding._connected() as connected:
        yield connected


@pytest.fixture(scope="module")
def cells(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Forty rows of ten cases: one picture twice in a case, one in two cases, one that is none."""
    folder = tmp_path_factory.mktemp("cells")
    rows = []
    for number in range(40):
        name = f"cell_{number % 38:02d}.png"
        write_picture(folder / name, seed=number % 38)
        rows.append({"image_path": name, "case_id": f"c{number % 10}"})
    rows[39]["case_id"] = rows[1]["case_id"]
    (folder / "cell_05.png").write_bytes(b"no picture")
    return write_table(folder / "cases.csv", rows)


@pytest.fixture(scope="module")
def local(cells: Path, space: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("local") / "archive"
    build(root, cells, encoder=space, batch_size=4)
    return root


def same(one: Path, other: Path) -> bool:
    """Whether ids, their order, records, lists and, to 1e-3, vectors are the same."""
    lists, records, vectors = [], [], []
    for root in (one, other):
        with open_archive(root) as archive:
            assert verify(archive) == []
            ids = archive.store.ids()
            records.append(archive.catalog.images(ImageId(i) for i in ids.tolist()))
            vectors.append((ids.tolist(), archive.store.vectors(ids)))
            folder = ArchiveLayout(root).version(archive.version)
            lists.append([(folder / name).read_text() for name in (SKIPPED, NOTES)])
    assert len(vectors[0][0]) == 38
    assert np.allclose(vectors[0][1], vectors[1][1], atol=1e-3)
    assert lists[0] == lists[1]
    return vectors[0][0] == vectors[1][0] and records[0] == records[1]


def test_ray_builds_the_archive_that_one_process_builds_also_where_actors_are_killed(
    ray: Any, cells: Path, space: str, local: Path, tmp_path: Path
) -> None:
    killed: list[int] = []

    def kill(what: str, done: int, _: int) -> None:
        if what == "indexing" and done and not killed:
            killed.extend(actors())
            for process in killed:
                os.kill(process, signal.SIGKILL)

    root = tmp_path / "archive"
    built = build(root, cells, encoder=space, batch_size=1, engine="ray", on=kill)
    assert killed
    assert built.embedded == 37
    assert same(root, local)
    assert build(root, cells, rehash=True).embedded == 0


def actors() -> list[int]:
    """Processes that embed."""
    return [
        int(path.parent.name)
        for path in Path("/proc").glob("[0-9]*/comm")
        if path.read_text().startswith("ray::MapWorker")
    ]


def test_a_build_that_is_killed_goes_on_from_what_was_embedded(
    ray: Any, cells: Path, space: str, local: Path, tmp_path: Path
) -> None:
    root = tmp_path / "archive"
    words = ["build", root, cells, "--encoder", space, "--engine", "ray", "--batch-size", 1]
    command = [sys.executable, "-c", "from indexer.cli import main; main()", *map(str, words)]
    address = ray.get_runtime_context().gcs_address
    building = subprocess.Popen(command, env=os.environ | {"RAY_ADDRESS": address})
    while not list(root.glob("work/*/*.safetensors")):
        assert building.poll() is None
        time.sleep(0.01)
    building.send_signal(signal.SIGKILL)
    building.wait()
    assert not (root / "CURRENT").exists()
    assert build(root, cells, encoder=space, engine="ray").embedded < 37
    assert same(root, local)


def test_what_an_actor_cannot_do_is_told_in_its_own_words(
    cells: Path, space: str, local: Path
) -> None:
    with open_archive(local) as archive:
        spec, settings = archive.manifest.encoder, archive.manifest.encoder_settings
    other = replace(spec, weights="another")
    actor = ray_embedding._Actor(settings, other, local, frozenset(), 4, 1)
    (answer,) = actor({"rows": pickle.dumps([])}).values()
    error = pickle.loads(answer)  # noqa: S301
    assert isinstance(error, EncoderMismatchError)
    assert re.search("a machine of the cluster has another encoder.*remedy", str(error))


def test_without_ray_it_is_told(
    cells: Path, space: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "ray.data", None)
    with pytest.raises(MissingDependencyError, match=r"pip install coin-retrieval\[ray\]"):
        build(tmp_path / "archive", cells, encoder=space, engine="ray")


def test_nobody_else_reaches_it_and_nothing_is_reported(ray: Any) -> None:
    assert {node["NodeManagerAddress"] for node in ray.nodes()} == {"127.0.0.1"}
    assert os.environ["RAY_USAGE_STATS_ENABLED"] == "0"
