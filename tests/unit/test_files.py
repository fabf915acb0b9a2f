from __future__ import annotations

from pathlib import Path

import pytest

from coin_retrieval.files import replace_file, replacing


def test_the_old_file_stays_until_the_new_one_is_whole(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_text("old")
    with replacing(file) as aside:
        aside.write_text("new")
        assert file.read_text() == "old"
    assert file.read_text() == "new"


def test_what_fails_leaves_the_old_file_and_nothing_beside_it(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_text("old")

    def fail() -> None:
        with replacing(file) as aside:
            aside.write_text("half")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fail()
    assert [path.name for path in tmp_path.iterdir()] == ["file"]
    assert file.read_text() == "old"


def test_folders_are_made_and_text_is_utf8(tmp_path: Path) -> None:
    replace_file(tmp_path / "a" / "b.txt", "Abstriche, gefärbt\n")
    replace_file(tmp_path / "a" / "c.bin", b"\x00\xff")
    assert (tmp_path / "a" / "b.txt").read_bytes() == "Abstriche, gefärbt\n".encode()
    assert (tmp_path / "a" / "c.bin").read_bytes() == b"\x00\xff"


@pytest.mark.parametrize("flush", [True, False])
def test_only_what_asks_for_it_waits_for_the_disk(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, flush: bool
) -> None:
    flushed: list[int] = []
    monkeypatch.setattr("os.fsync", flushed.append)
    replace_file(tmp_path / "file", b"x", flush=flush)
    assert len(flushed) == (2 if flush else 0), "the file, and the folder that names it"
