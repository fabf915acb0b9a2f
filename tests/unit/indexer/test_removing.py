"""Cases that are taken out are in no answer, and their segment stays."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from growing_archives import add_to, content, segments, sound
from tiny_archives import build_archive, write_picture, write_table

from coin_retrieval.archive import ArchiveLayout
from coin_retrieval.archive.verify import verify
from coin_retrieval.errors import ArchiveCorruptError, FilterError, InputError, NotFoundError
from coin_retrieval.factory import open_archive
from coin_retrieval.testing.histogram_encoder import HistogramEncoder
from indexer.history import history
from indexer.removing import remove


def test_cases_are_gone_from_every_answer_and_their_segment_stays(root: Path, cases: Path) -> None:
    before = content(root)
    report = remove(root, ["c3", "c4"])
    assert (report.cases, report.images) == (2, 2)
    after = content(root)
    assert {case.case_id for _, case, _ in after.values()}.isdisjoint({"c3", "c4"})
    assert {i: before[i] for i in after} == after
    assert segments(root) == [(10, 2)]
    sound(root)


def test_a_filter_removes_the_images_that_fit(root: Path, tmp_path: Path) -> None:
    rows = [
        {"image_path": f"{n}.png", "case_id": case, "split": split}
        for n, (case, split) in enumerate([("a", "x"), ("a", "y"), ("b", "x"), ("c", "y")])
    ]
    for number in range(4):
        write_picture(tmp_path / f"{number}.png", seed=number)
    build_archive(root, write_table(tmp_path / "cases.csv", rows))
    report = remove(root, where={"split": ["X"]})
    assert (report.cases, report.images) == (1, 2)
    with open_archive(root) as archive:
        assert list(archive.catalog.case_ids()) == ["a", "c"]
    sound(root)


def test_a_case_that_is_not_there_is_an_error_and_nothing_is_removed(
    root: Path, cases: Path
) -> None:
    with pytest.raises(NotFoundError, match="nobody"):
        remove(root, ["c3", "nobody"])
    with pytest.raises(FilterError, match="organ"):
        remove(root, where={"organ": ["x"]})
    with pytest.raises(InputError, match="nothing to remove"):
        remove(root, where={"site": ["liver"]})
    with pytest.raises(InputError, match="nothing would be left"):
        remove(root, where={"site": ["cervix"]})
    assert len(content(root)) == 10


def test_removing_twice_adds_up(root: Path, cases: Path) -> None:
    remove(root, ["c3"])
    remove(root, ["c4"])
    assert segments(root) == [(10, 2)]
    assert [kept.manifest.change.removed for kept in history(root)] == [1, 1, 0]
    sound(root)


def test_what_was_removed_may_come_again(root: Path, cases: Path) -> None:
    before = content(root)
    remove(root, ["c3"])
    encoder = HistogramEncoder()
    add_to(root, cases, encoder=encoder)
    assert encoder.seen == 0
    assert content(root) == before
    sound(root)


def test_a_reader_keeps_its_version(root: Path, cases: Path) -> None:
    with open_archive(root) as archive:
        remove(root, ["c3"])
        assert archive.version != ArchiveLayout(root).current_name()
        assert len(archive.catalog.select({})) == 10
        assert (
            len(archive.store.search(archive.store.vectors(archive.store.ids()[:1]), 20)[0]) == 10
        )


def test_an_archive_that_may_not_be_written_opens_and_answers(root: Path, cases: Path) -> None:
    remove(root, ["c3"])
    folders = [path for path in (root, *root.rglob("*")) if path.is_dir()]
    for path in root.rglob("*"):
        path.chmod(0o555 if path.is_dir() else 0o444)
    root.chmod(0o555)
    try:
        with open_archive(root) as archive:
            assert (
                len(archive.store.search(archive.store.vectors(archive.store.ids()[:1]), 20)[0])
                == 9
            )
            assert verify(archive) == []
    finally:
        for path in folders:
            path.chmod(0o755)


def test_a_removed_row_cannot_be_smuggled_back_by_a_changed_list(root: Path, cases: Path) -> None:
    remove(root, ["c3"])
    path = ArchiveLayout(root).published() / "removed-000001-0.npy"
    whole = path.read_bytes()
    np.save(path, np.array([12], np.uint32))
    with pytest.raises(ArchiveCorruptError, match="removed rows"):
        open_archive(root)
    path.write_bytes(whole)
    assert len(content(root)) == 9
