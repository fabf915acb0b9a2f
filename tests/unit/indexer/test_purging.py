"""What is purged is on the disk no more."""

from __future__ import annotations

import os
from pathlib import Path

from growing_archives import add_to, content, sound, table_of
from tiny_archives import build_archive, write_pictures, write_table

from coin_retrieval.factory import open_archive
from indexer.history import history
from indexer.removing import remove


def test_no_byte_of_it_is_left_in_any_version(root: Path, tmp_path: Path) -> None:
    names = [f"patient-{n:03d}" for n in range(40)]
    table = table_of(tmp_path / "cases.csv", names, diagnosis="LSIL")
    build_archive(root, table)
    build_archive(root, table)
    gone = names[5:15]
    held = content(root)
    traces: list[bytes] = []
    for image_id, (image, case, row) in held.items():
        if case.case_id in gone:
            traces += [
                case.case_id.encode(),
                image.content_hash.encode(),
                bytes.fromhex(image.content_hash),
                str(image_id).encode(),
                int(image_id).to_bytes(8, "little"),
                row,
            ]
    assert all(_found(root, trace) for trace in traces[:6:5])
    report = remove(root, gone, purge=True, wait_s=0)
    assert not [trace for trace in traces if _found(root, trace)]
    assert report.readers == ()
    assert [kept.manifest.version for kept in history(root)] == ["000003"]
    assert len(content(root)) == 30
    sound(root)


def test_what_was_removed_before_is_purged_too(root: Path, cases: Path) -> None:
    row = next(row for _, case, row in content(root).values() if case.case_id == "c3")
    remove(root, ["c3"])
    assert _found(root, row)
    remove(root, ["c4"], purge=True, wait_s=0)
    assert not _found(root, row)


def test_lists_do_not_name_it(root: Path, tmp_path: Path) -> None:
    write_pictures(tmp_path, 3)
    rows = [
        {"image_path": "cell_000.png", "case_id": "secret", "site": "a"},
        {"image_path": "cell_000.png", "case_id": "secret", "site": "b"},
        {"image_path": "gone.png", "case_id": "secret"},
        {"image_path": "cell_001.png", "case_id": "other"},
    ]
    build_archive(root, write_table(tmp_path / "cases.csv", rows), max_skipped=1)
    assert _found(root, b"secret")
    remove(root, ["secret"], purge=True, wait_s=0)
    assert not _found(root, b"secret")


def test_who_still_reads_is_named(root: Path, cases: Path) -> None:
    with open_archive(root):
        assert remove(root, ["c3"], purge=True, wait_s=0.1).readers == ("000001",)
    assert remove(root, ["c4"], purge=True, wait_s=0.1).readers == ()


def test_a_picture_that_another_case_has_keeps_its_thumbnail(
    root: Path, cases: Path, tmp_path: Path
) -> None:
    rows = [{"image_path": "pictures/3.png", "case_id": "other"}]
    add_to(root, write_table(tmp_path / "m.csv", rows))
    remove(root, ["c3"], purge=True, wait_s=0)
    sound(root)


def _found(root: Path, trace: bytes) -> bool:
    """Whether any file below holds these bytes, or is named by them."""
    return any(
        trace in os.fsencode(path) or (path.is_file() and trace in path.read_bytes())
        for path in root.rglob("*")
    )
