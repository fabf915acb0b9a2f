"""Versions are told, gone back to, and merged."""

from __future__ import annotations

from pathlib import Path

import pytest
from growing_archives import add_to, content, segments, sound, table_of

from coin_retrieval.errors import NotFoundError
from indexer.history import history, rollback
from indexer.removing import compact, remove


def test_a_version_is_named_by_how_it_came_to_be(root: Path, cases: Path, tmp_path: Path) -> None:
    add_to(root, table_of(tmp_path / "m.csv", ["n"], first=50))
    remove(root, ["c3"])
    told = [
        (kept.manifest.version, kept.manifest.change.command, kept.current)
        for kept in history(root)
    ]
    assert told == [
        ("000003", "remove", True), ("000002", "add", False), ("000001", "build", False),
    ]  # fmt: skip


@pytest.mark.parametrize("version", [None, "2", "000002"])
def test_the_archive_is_as_it_was_then_and_nothing_is_lost(
    root: Path, cases: Path, tmp_path: Path, version: str | None
) -> None:
    add_to(root, table_of(tmp_path / "m.csv", ["n"], first=50))
    wanted = content(root)
    remove(root, ["c3", "n"])
    latest = content(root)
    assert rollback(root, version).version == "000004"
    assert content(root) == wanted
    sound(root)
    rollback(root, "000003")
    assert content(root) == latest
    sound(root)


def test_a_version_that_was_never_published_is_not_told(root: Path, cases: Path) -> None:
    remove(root, ["c3"])
    (root / "CURRENT").write_text("000001\n")
    assert [kept.manifest.version for kept in history(root)] == ["000001"]


def test_a_version_that_is_not_kept_is_refused(root: Path, cases: Path) -> None:
    with pytest.raises(NotFoundError, match="coin-index history"):
        rollback(root)
    with pytest.raises(NotFoundError, match="none is kept"):
        rollback(root, "7")


def test_compacting_leaves_out_what_was_removed_and_changes_no_answer(
    root: Path, cases: Path, tmp_path: Path
) -> None:
    for number in range(3):
        add_to(root, table_of(tmp_path / f"m{number}.csv", [f"n{number}"], first=50 + number))
    remove(root, ["c3", "n1"])
    before = content(root)
    compact(root)
    assert content(root) == before
    assert segments(root) == [(11, 0)]
    sound(root)
