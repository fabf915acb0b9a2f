from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
import yaml
from servers import Milvus, ObjectStore, Postgres
from tiny_archives import build_archive, write_pictures, write_table

from coin_retrieval.archive.opening import open_layout
from coin_retrieval.archive.thumbnails import has_thumbnail
from coin_retrieval.archive.verify import verify
from coin_retrieval.errors import (
    ArchiveBusyError,
    ArchiveServerError,
    NotFoundError,
    SettingsError,
)
from coin_retrieval.factory import open_archive
from coin_retrieval.images.decoding import load_image
from indexer.changing import changing
from indexer.history import history, rollback
from indexer.removing import compact, remove

pytestmark = pytest.mark.xdist_group("servers")

PATIENCE_S = 120


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    """Twelve cells of six cases."""
    write_pictures(tmp_path / "in", 12)
    rows = [
        {
            "image_path": f"cell_{number:03d}.png",
            "case_id": f"c{number // 2}",
            "site": "cervix" if number < 6 else 'Peripheral "Blood"',
            "split": f"part {number % 3}",
        }
        for number in range(12)
    ]
    return write_table(tmp_path / "in" / "cases.csv", rows)


@pytest.fixture
def address(
    milvus: Milvus, postgres: Postgres, tmp_path: Path, request: pytest.FixtureRequest
) -> Callable[..., Path]:
    """Writes an archive's address, of a name of the test's own; machines have their own mirrors."""

    def written(machine: str = "here", **changed: object) -> Path:
        said = {
            "name": f"t{abs(hash(request.node.nodeid)) % 10**12}",
            "store": {"uri": milvus.uri},
            "catalog": {"url": postgres.url},
            "files": str(tmp_path / "files"),
            "scratch": str(tmp_path / machine),
        } | changed
        path = tmp_path / f"{machine}.yaml"
        path.write_text(yaml.safe_dump(said))
        return path

    return written


def test_an_archive_on_servers_is_built_searched_and_changed_as_one_in_a_folder(
    address: Callable[..., Path], pictures: Path, tmp_path: Path
) -> None:
    here, folder = address(), tmp_path / "folder"
    for root in (here, folder):
        build_archive(root, pictures)
        remove(root, ["c1"])
        more = write_pictures(tmp_path / "more", 3, first_seed=50)
        build_archive(root, pictures, more)
    elsewhere = address("elsewhere")
    with open_archive(elsewhere) as remote, open_archive(folder) as local:
        assert verify(remote) == []
        assert remote.store.ids().tolist() == local.store.ids().tolist()
        assert remote.catalog.counts() == local.catalog.counts()
        assert not [*remote.root.rglob("*.sqlite"), *remote.root.rglob("*.faiss")]
        queries = local.store.vectors(local.store.ids())
        for where in ({}, {"site": ['peripheral "blood"']}, {"split": ["part 1", "Part 2"]}):
            answers = []
            for archive in (remote, local):
                mask = archive.catalog.mask(where)
                hits = archive.store.search(queries, 5, allowed=mask, where=where)
                # of those that are equally far, any will do
                near = [[hit for hit in of_query if hit.similarity > 0.01] for of_query in hits]
                answers.append([[(h.image_id, round(h.similarity, 4)) for h in q] for q in near])
            assert answers[0] == answers[1]
        image = next(iter(remote.catalog.images(remote.store.ids()[:1]).values()))
        assert remote.thumbnail_path(image).read_bytes() == local.thumbnail_path(image).read_bytes()
        assert np.array_equal(remote.picture(image), local.picture(image))
    rollback(here, "000001")
    compact(here)
    assert history(elsewhere)[0].manifest.version == "000005"
    with open_archive(elsewhere) as remote:
        assert len(remote.store) == 12
        assert verify(remote) == []


def test_an_open_archive_keeps_its_version_while_another_machine_publishes(
    address: Callable[..., Path], pictures: Path, tmp_path: Path
) -> None:
    build_archive(address(), pictures)
    with open_archive(address("elsewhere")) as before:
        ids = before.store.ids()
        build_archive(address(), write_pictures(tmp_path / "other", 4, first_seed=90), drop=True)
        found = before.store.search(before.store.vectors(ids), 12)
        assert [{hit.image_id for hit in hits} for hits in found] == [set(ids.tolist())] * 12
        assert before.catalog.counts() == (6, 12)
        with open_archive(before.root) as after:
            assert (after.version, after.catalog.counts()) == ("000002", (4, 4))


def test_nothing_of_what_was_purged_is_left_on_the_servers(
    address: Callable[..., Path], pictures: Path, tmp_path: Path
) -> None:
    here = address()
    build_archive(here, pictures)
    layout = open_layout(here)
    assert layout.remote is not None
    with open_archive(here) as archive:
        gone = archive.catalog.case_images("c2")
    remove(here, ["c2"], purge=True, wait_s=0)
    left = {path.stem for path in (tmp_path / "files").rglob("*") if path.is_file()}
    assert not left & {image.content_hash for image in gone}
    assert len(left) == 10
    assert len(history(here)) == 1
    with open_archive(address("elsewhere")) as archive:
        assert archive.catalog.of_contents(image.content_hash for image in gone) == []
        assert verify(archive) == []


def test_one_machine_builds_at_a_time_and_says_which(
    address: Callable[..., Path], pictures: Path
) -> None:
    build_archive(address(), pictures)
    with (
        changing(address("elsewhere")),
        pytest.raises(ArchiveBusyError, match=r"coin-index \S+ \d+"),
    ):
        build_archive(address(), pictures)
    build_archive(address(), pictures)


def test_pictures_and_thumbnails_may_lie_in_an_object_store(
    address: Callable[..., Path], pictures: Path, object_store: ObjectStore
) -> None:
    bucket = {"files": "s3://bucket/cytology", "files_options": object_store.options}
    build_archive(address(**bucket), pictures)
    with open_archive(address("elsewhere", **bucket)) as archive:
        assert verify(archive) == []
        image = next(iter(archive.catalog.images(archive.store.ids()[:1]).values()))
        assert has_thumbnail(archive.thumbnail_path(image))
        lay = load_image(archive.image_path(image))
        assert np.array_equal(archive.picture(image), lay)


def test_addresses_that_cannot_be_used_are_told(
    address: Callable[..., Path], pictures: Path, tmp_path: Path, postgres: Postgres
) -> None:
    with pytest.raises(NotFoundError, match="not an archive"):
        open_archive(address())
    password = postgres.url.replace("coin@", "coin:secret@")
    for wrong, said in (
        ({"name": "No Name"}, "name"),
        ({"store": {"uri": 3}}, "uri"),
        ({"catalog": {"url": "sqlite:///x"}}, "PostgreSQL"),
        ({"catalog": {"url": password}}, "password"),
    ):
        with pytest.raises(SettingsError, match=said) as refused:
            open_archive(address(**wrong))
        assert "secret" not in str(refused.value)
    for away in (
        {"catalog": {"url": "postgresql://coin@127.0.0.1:9/x"}},
        {"files": "nosuch://bucket"},
    ):
        with pytest.raises(ArchiveServerError, match="remedy"):
            open_archive(address(**away))
    build_archive(address(), pictures)
    with pytest.raises(ArchiveServerError, match="vector server is away"):
        open_archive(address(store={"uri": "http://127.0.0.1:9", "timeout_s": 2}))


@pytest.fixture(params=["postgres", "milvus"])
def victim(request: pytest.FixtureRequest) -> Iterator[Postgres | Milvus]:
    """A server that is running again when the test is over."""
    server: Postgres | Milvus = request.getfixturevalue(request.param)
    yield server
    server.start()


def test_a_server_that_is_killed_is_told_and_what_was_built_and_served_goes_on_as_before(
    address: Callable[..., Path], pictures: Path, tmp_path: Path, victim: Postgres | Milvus
) -> None:
    here, folder = address(), tmp_path / "folder"
    more = write_pictures(tmp_path / "more", 12, first_seed=50)

    def kill(what: str, done: int, _: int) -> None:
        if what == "writing the version" and not done:
            victim.kill()

    build_archive(here, pictures)
    with open_archive(here) as served:
        query = served.store.vectors(served.store.ids()[:1])

        def asked() -> list[int]:
            mask = served.catalog.mask({"site": ["cervix"]})
            (hits,) = served.store.search(query, 4, allowed=mask)
            return [hit.image_id for hit in hits]

        before = asked()
        with pytest.raises(ArchiveServerError, match="remedy"):
            build_archive(here, pictures, more, on=kill)
        with pytest.raises(ArchiveServerError, match="server is away"):
            asked()
        victim.start()
        assert again(asked) == before
        assert open_layout(served.root).current_name() == served.version
    assert build_archive(here, pictures, more).embedded == 0
    build_archive(folder, pictures)
    build_archive(folder, pictures, more)
    with open_archive(here) as remote, open_archive(folder) as local:
        assert verify(remote) == []
        ids = local.store.ids()
        assert set(remote.store.ids().tolist()) == set(ids.tolist())
        assert np.allclose(remote.store.vectors(ids), local.store.vectors(ids), atol=1e-6)


def again(asked: Callable[[], list[int]]) -> list[int]:
    """Milvus misses the one that was killed until its lease has ended: half a minute."""
    until = time.monotonic() + PATIENCE_S
    while True:
        try:
            return asked()
        except ArchiveServerError:
            assert time.monotonic() < until
