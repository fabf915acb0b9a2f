"""A change asks each segment for many pictures at once, and answers as if there were but one."""

from __future__ import annotations

import shutil
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest
from growing_archives import add_to, content, lines_of, sound, table_of
from tiny_archives import build_archive, write_picture, write_table

from coin_retrieval.catalog.sql import SqlCatalog
from coin_retrieval.stores import base
from indexer.embedding import passing


@pytest.fixture
def tables(tmp_path: Path) -> list[Path]:
    """Two manifests of 60 rows in all: pictures come again in the same case and in others."""
    for number in range(20):
        write_picture(tmp_path / "pictures" / f"{number}.png", seed=number)
    for number in range(20, 40):
        of = tmp_path / "pictures" / f"{number % 20}.png"
        shutil.copy(of, tmp_path / "pictures" / f"{number}.png")
    rows = [
        {
            "image_path": f"pictures/{7 * n % 40}.png",
            "case_id": f"c{n % 13}",
            "diagnosis": f"d{n % 3}",
        }
        for n in range(60)
    ]
    return [
        write_table(tmp_path / f"{name}.csv", some)
        for name, some in (("one", rows[:35]), ("two", rows[35:]))
    ]


def _all_that_is_said(root: Path, tables: list[Path]) -> list[Any]:
    """After a build, an addition with their notes, and a build again, which may name another of
    several cases that have a picture too.
    """
    built = build_archive(root, tables[0])
    said = [built.manifest.counts, lines_of(built.folder / "notes.jsonl"), content(root)]
    added = add_to(root, tables[1])
    said += [added.manifest.counts, lines_of(added.folder / "notes.jsonl"), content(root)]
    said += [build_archive(root, *tables).manifest.counts, content(root)]
    sound(root)
    return said


def test_many_segments_say_what_one_says(
    tmp_path: Path, tables: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    one = _all_that_is_said(tmp_path / "one", tables)
    monkeypatch.setattr(base, "SCANNED_ROWS", 3)
    monkeypatch.setattr(passing, "_ROWS_AT_ONCE", 4)
    many = _all_that_is_said(tmp_path / "many", tables)
    assert len(list((tmp_path / "many" / "segments").iterdir())) > 10
    assert many == one


def test_a_segment_is_asked_once_for_many_pictures(
    root: Path, cases: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: Counter[str] = Counter()

    def counted(name: str) -> None:
        own = getattr(SqlCatalog, name)

        def question(self: SqlCatalog, wanted: Iterable[Any]) -> Any:
            asked[name] += 1
            return own(self, wanted)

        monkeypatch.setattr(SqlCatalog, name, question)

    counted("images")
    counted("of_contents")
    more = table_of(tmp_path / "more.csv", [f"n{n}" for n in range(60)], first=100)
    build_archive(root, cases, more, batch_size=32)
    # a question of each kind a batch or a passing of rows, and of the sweep of thumbnails
    assert max(asked.values()) <= 12
