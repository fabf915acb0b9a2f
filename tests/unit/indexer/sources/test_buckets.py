"""Manifests and pictures in a bucket, on a real server that answers like S3."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import fsspec
import numpy as np
import pytest
from fsspec.registry import _registry
from servers import ObjectStore, free_port
from tiny_archives import build_archive, write_picture, write_table

from coin_retrieval.archive.verify import verify
from coin_retrieval.errors import InputError, MissingDependencyError
from coin_retrieval.factory import open_archive
from coin_retrieval.images.containers.urls import UrlPath
from coin_retrieval.images.decoding import load_image
from indexer.rows import read_sources

pytestmark = pytest.mark.xdist_group("servers")

ONCE = {"retries": {"max_attempts": 0}}


@pytest.fixture
def bucket(object_store: ObjectStore, monkeypatch: pytest.MonkeyPatch) -> Any:
    """The server's file system, which ``s3://`` means here; its bucket is empty."""
    monkeypatch.setitem(fsspec.config.conf, "s3", object_store.options)
    system = fsspec.filesystem("s3")
    if kept := system.find("bucket/slides"):
        system.rm(kept)
    system.invalidate_cache()
    return system


@pytest.fixture
def table(bucket: Any, tmp_path: Path) -> Path:
    """A manifest of four cases in the bucket, beside its pictures."""
    rows = []
    for n in range(4):
        picture = write_picture(tmp_path / f"{n}.png", seed=n)
        bucket.put_file(str(picture), f"bucket/slides/pictures/{n}.png")
        rows.append({"image_path": f"pictures/{n}.png", "case_id": f"c{n}", "site": "cervix"})
    bucket.put_file(str(write_table(tmp_path / "cases.csv", rows)), "bucket/slides/cases.csv")
    return Path("s3://bucket/slides/cases.csv")


@pytest.fixture
def reads(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Names of what is fetched."""
    names: list[str] = []
    read = UrlPath.read_bytes

    def told(path: UrlPath) -> bytes:
        names.append(path.name)
        return read(path)

    monkeypatch.setattr(UrlPath, "read_bytes", told)
    return names


def test_a_manifest_and_its_pictures_may_lie_in_a_bucket(
    table: Path, root: Path, tmp_path: Path
) -> None:
    manifest = build_archive(root, table).manifest
    assert manifest.sources[0].path == "s3://bucket/slides/cases.csv"
    with open_archive(root) as archive:
        images = [archive.catalog.case_images(f"c{n}")[0] for n in range(4)]
        assert images[1].uri == "s3://bucket/slides/pictures/1.png"
        shown = archive.picture(images[1])
        assert verify(archive) == []
    np.testing.assert_array_equal(shown, load_image(tmp_path / "1.png"))


def test_a_prefix_is_a_folder(table: Path, root: Path, bucket: Any, tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("no picture")
    bucket.put_file(str(tmp_path / "notes.txt"), "bucket/slides/notes.txt")
    bucket.put_file(str(tmp_path / "0.png"), "bucket/slides/.hidden/0.png")
    report = build_archive(root, Path("s3://bucket/slides"))
    with open_archive(root) as archive:
        assert list(archive.catalog.case_ids()) == [f"pictures/{n}" for n in range(4)]
    assert "1 .csv, 1 .txt" in report.warnings[0]


def test_a_manifest_on_the_disk_may_name_pictures_in_a_bucket(
    table: Path, root: Path, tmp_path: Path
) -> None:
    write_picture(tmp_path / "near.png", seed=9)
    rows = [
        {"image_path": "s3://bucket/slides/pictures/2.png", "case_id": "far"},
        {"image_path": "near.png", "case_id": "near"},
    ]
    assert build_archive(root, write_table(tmp_path / "mixed.csv", rows)).embedded == 2


def test_what_has_not_changed_is_not_fetched_again(
    table: Path, root: Path, bucket: Any, tmp_path: Path, reads: list[str]
) -> None:
    build_archive(root, table)
    assert {"0.png", "1.png", "2.png", "3.png"} < set(reads)
    reads.clear()
    bucket.pipe_file("bucket/slides/pictures/2.png", (tmp_path / "3.png").read_bytes())
    assert build_archive(root, table).reused == 4
    assert set(reads) == {"cases.csv", "2.png"}


def test_an_object_that_is_gone_is_told_and_costs_no_other(
    table: Path, root: Path, bucket: Any
) -> None:
    bucket.rm_file("bucket/slides/pictures/3.png")
    report = build_archive(root, table, max_skipped=1)
    assert report.manifest.counts.images == 3
    skipped = (report.folder / "skipped.jsonl").read_text()
    assert "s3://bucket/slides/pictures/3.png" in skipped
    assert "cannot be found" in skipped


def test_files_of_several_pictures_are_told_to_be_copied(
    table: Path, root: Path, bucket: Any
) -> None:
    bucket.pipe_file("bucket/slides/shard.tar", b"of pictures")
    report = build_archive(root, Path("s3://bucket/slides"), max_skipped=1)
    assert "copy it to a folder" in (report.folder / "skipped.jsonl").read_text()


def test_a_bucket_that_is_away_is_no_bucket_without_pictures(
    bucket: Any, monkeypatch: pytest.MonkeyPatch, root: Path
) -> None:
    nobody = {"endpoint_url": f"http://127.0.0.1:{free_port()}"}
    monkeypatch.setitem(
        fsspec.config.conf, "s3",
        {"key": "k", "secret": "s", "client_kwargs": nobody, "config_kwargs": ONCE},
    )  # fmt: skip
    with pytest.raises(InputError, match="cannot be reached"):
        read_sources([Path("s3://bucket/slides")], archive=root, where={})


def test_without_the_library_of_buckets_it_says_which(
    bucket: Any, monkeypatch: pytest.MonkeyPatch, root: Path
) -> None:
    monkeypatch.setitem(sys.modules, "s3fs", None)
    monkeypatch.delitem(_registry, "s3")
    with pytest.raises(MissingDependencyError, match=r"coin-retrieval\[s3\]"):
        read_sources([Path("s3://bucket/slides")], archive=root, where={})
