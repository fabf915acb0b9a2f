"""A version that is published while the server answers."""

from __future__ import annotations

import csv
import os
import resource
import subprocess
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient
from unit.server.ground import COLUMNS, REPORT, ROWS, serving, until

from coin_retrieval.config import OpenClipEncoderSettings
from coin_retrieval.prototypes.base import Prototyper
from coin_retrieval.search.query import Query
from coin_retrieval.search.retriever import Retriever
from indexer import build
from server.app import create_app
from server.leases import Leased
from server.limits import ServerLimits

MakeRetriever = Callable[[Path, Prototyper | None], Retriever]
SOON = ServerLimits(look_every_s=0.05)


@pytest.fixture
def root(make_archive: Callable[[Path], Path], tmp_path: Path) -> Path:
    """An archive that the test may change."""
    return make_archive(tmp_path)


@pytest.fixture
def publish(root: Path, encoder_settings: OpenClipEncoderSettings) -> Callable[[int], str]:
    """Builds the archive anew, with so many of its pictures; returns the version's name."""

    def publish(rows: int) -> str:
        table = root.parent / "sources" / "cases.csv"
        with table.open("w", newline="") as file:
            csv.writer(file).writerows([COLUMNS, *ROWS[:rows]])
        build(root, table, encoder=encoder_settings, drop=True, workers=1)
        return (root / "CURRENT").read_text().strip()

    return publish


@pytest.fixture
def served(root: Path, make_retriever: MakeRetriever) -> Iterator[TestClient]:
    with serving(create_app(lambda: make_retriever(root, None), limits=SOON)) as client:
        yield client


def wait_for(client: TestClient, fact: Callable[[Any], bool]) -> Any:
    until(lambda: fact(client.get("/readyz").json()))
    return client.get("/readyz").raise_for_status().json()


def search(client: TestClient) -> list[Any]:
    answer = client.post("/v1/search", json={"report": REPORT, "mode": "text", "k": 50})
    cases: list[Any] = answer.raise_for_status().json()["cases"]
    return cases


def case_ids(client: TestClient) -> set[str]:
    return {case["case_id"] for case in search(client)}


def test_a_new_version_answers_as_soon_as_it_is_published(
    served: TestClient, publish: Callable[[int], str]
) -> None:
    assert "E-5" in case_ids(served)
    assert served.get("/v1/archive").json()["images"] == len(ROWS)
    for rows, found in ((4, {"A-1", "B/2", "C-3"}), (2, {"A-1"})):
        fresh = publish(rows)
        wait_for(served, lambda ready, fresh=fresh: ready["version"] == fresh)
        assert case_ids(served) == found
        assert served.get("/v1/archive").json()["images"] == rows
        assert served.get("/v1/cases/E-5").status_code == 404
        uri = search(served)[0]["images"][0]["uri"]
        assert served.get(uri).status_code == 200


def test_a_request_that_is_being_answered_keeps_its_version(
    served: TestClient, publish: Callable[[int], str]
) -> None:
    app: Any = served.app
    with app.state.services.loading.lease() as held:
        fresh = publish(2)
        wait_for(served, lambda ready: ready["version"] == fresh)
        assert set(held.archive.catalog.cases(["E-5"])) == {"E-5"}
        assert held.archive.version != fresh
    assert case_ids(served) == {"A-1"}


def test_a_version_that_cannot_be_served_is_told_and_the_old_one_answers_on(
    served: TestClient, root: Path
) -> None:
    old = (root / "CURRENT").read_text()
    (root / "CURRENT").write_text("000999")
    told = wait_for(served, lambda ready: ready["problems"])
    assert told["problems"] == ["archive: archive_corrupt"]
    assert "E-5" in case_ids(served)
    (root / "CURRENT").write_text(old)
    wait_for(served, lambda ready: not ready["problems"])


def test_a_version_that_was_closed_is_given_to_nobody(
    archive_dir: Path, make_retriever: MakeRetriever
) -> None:
    leased = Leased(make_retriever(archive_dir, None))
    assert leased.take()
    leased.retire()
    assert leased.take(), "it is open as long as somebody asks it"
    leased.give_back()
    assert leased.retriever.search(Query(report=REPORT, k=1)).cases
    leased.give_back()
    assert not leased.take()


@contextmanager
def in_the_way(retriever: Retriever) -> Iterator[None]:
    """The cache's place is a file's."""
    file = retriever.cache.root / "file"
    file.touch()
    retriever.cache.root = file / "cache"
    yield


@contextmanager
def full(retriever: Retriever) -> Iterator[None]:
    """No file may grow any more, as on a full disk."""
    del retriever
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


@pytest.mark.parametrize("harm", [in_the_way, full])
def test_a_cache_that_cannot_be_written_is_told(
    archive_dir: Path,
    make_retriever: MakeRetriever,
    generator: Prototyper,
    harm: Callable[[Retriever], AbstractContextManager[None]],
) -> None:
    retriever = make_retriever(archive_dir, generator)
    with serving(create_app(lambda: retriever)) as client:
        assert client.get("/readyz").json()["problems"] == []
        with harm(retriever):
            told = client.get("/readyz").json()["problems"]
            answer = client.post("/v1/search", json={"report": REPORT})
        assert "cache" in told[0]
        assert answer.status_code == 200
        assert "cache cannot be written" in str(answer.json()["notices"])


@contextmanager
def read_only(folder: Path) -> Iterator[None]:
    """Nobody may write there, not even root, whom permissions do not stop."""
    if os.geteuid():
        folder.chmod(0o555)
        yield
        folder.chmod(0o755)
        return
    mount = ["mount", "--bind", folder, folder]
    if subprocess.run(mount, capture_output=True, check=False).returncode:
        pytest.skip("nothing may be mounted here")
    try:
        subprocess.run(["mount", "-o", "remount,bind,ro", folder], check=True)
        yield
    finally:
        subprocess.run(["umount", folder], check=True)


def test_a_read_only_cache_answers_with_what_it_holds_and_else_by_text(
    archive_dir: Path, make_retriever: MakeRetriever, generator: Prototyper
) -> None:
    retriever = make_retriever(archive_dir, generator)
    with serving(create_app(lambda: retriever)) as client:
        kept = client.post("/v1/search", json={"report": REPORT}).json()
        with read_only(retriever.cache.root):
            told = client.get("/readyz").json()["problems"]
            again = client.post("/v1/search", json={"report": REPORT}).json()
            new = client.post("/v1/search", json={"report": REPORT, "seed": 71}).json()
    assert "cache" in told[0]
    assert again["prototypes"] == kept["prototypes"] != []
    assert new["query"]["mode"] == "text"
    assert "cache cannot be written" in str(new["notices"])
