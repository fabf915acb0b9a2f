"""The audit log's chain: what breaks it, and what does not."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from coin_retrieval.errors import SettingsError
from server.audit.chain import AuditLog, audit_files, read_key
from server.audit.verify import verify

KEY = bytes(range(32))
DAY_S = 86_400


def a_log(folder: Path, **options: int) -> AuditLog:
    return AuditLog(folder, key=KEY, **{"keep_days": 400, **options})


def written(folder: Path, count: int = 5, **options: int) -> Path:
    with a_log(folder, **options) as log:
        for number in range(count):
            log.append({"what": "search", "who": f"key:ward-{number}"})
    return folder


def lines_of(folder: Path) -> list[str]:
    return audit_files(folder)[-1].read_text().splitlines(keepends=True)


def test_a_log_is_whole(tmp_path: Path) -> None:
    found = verify(written(tmp_path), key=KEY)
    assert (found.records, found.problems) == (5, [])


def test_a_log_goes_on_where_it_ended(tmp_path: Path) -> None:
    written(tmp_path)
    written(tmp_path)
    found = verify(tmp_path, key=KEY)
    assert (found.records, found.problems) == (10, [])
    assert [json.loads(line)["n"] for line in lines_of(tmp_path)] == list(range(1, 11))


def rewrite(change: Callable[[list[str]], list[str]]) -> Callable[[Path], None]:
    def apply(folder: Path) -> None:
        audit_files(folder)[-1].write_text("".join(change(lines_of(folder))))

    return apply


def forge(folder: Path) -> None:
    """Chain records anew with a key of one's own."""
    lines = len(lines_of(folder))
    for path in (*audit_files(folder), folder / "HEAD"):
        path.unlink()
    with AuditLog(folder, key=b"x" * 32, keep_days=400) as log:
        for _ in range(lines):
            log.append({"what": "search", "who": "key:nobody"})


@pytest.mark.parametrize(
    "harm",
    [
        rewrite(lambda lines: [line.replace("ward-2", "ward-9") for line in lines]),
        rewrite(lambda lines: lines[:2] + lines[3:]),
        rewrite(lambda lines: [lines[1], lines[0], *lines[2:]]),
        rewrite(lambda lines: [*lines, lines[-1]]),
        rewrite(lambda lines: lines[:-1]),
        rewrite(lambda lines: lines[1:]),
        rewrite(lambda _lines: []),
        rewrite(lambda lines: [*lines[:2], "{}\n", *lines[2:]]),
        rewrite(lambda lines: [*lines[:2], "no record\n", *lines[2:]]),
        lambda folder: audit_files(folder)[0].unlink(),
        lambda folder: (folder / "HEAD").unlink(),
        forge,
    ],
    ids=["changed", "one gone", "moved", "twice", "last gone", "first gone", "emptied", "empty one",
         "no json", "file gone", "head gone", "another key"],
)  # fmt: skip
def test_whatever_is_done_to_it_shows(tmp_path: Path, harm: Callable[[Path], None]) -> None:
    harm(written(tmp_path))
    assert verify(tmp_path, key=KEY).problems


def test_a_record_that_was_cut_off_is_set_aside_and_told(tmp_path: Path) -> None:
    written(tmp_path)
    path = audit_files(tmp_path)[-1]
    with path.open("ab") as file:
        file.write(b'{"n": 6, "at": "20')
    written(tmp_path, 1)
    found = verify(tmp_path, key=KEY)
    assert (found.records, found.problems) == (7, [])
    assert any("cut off" in line for line in lines_of(tmp_path))
    assert list(tmp_path.glob("torn-*"))


def test_a_full_disk_leaves_the_chain_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with a_log(tmp_path) as log:
        log.append({"what": "search"})
        write = os.write
        monkeypatch.setattr(os, "write", lambda file, data: write(file, data[:20]))
        with pytest.raises(OSError, match="No space"):
            log.append({"what": "search", "who": "lost"})
        monkeypatch.undo()
        log.append({"what": "search"})
    found = verify(tmp_path, key=KEY)
    assert (found.records, found.problems) == (2, [])


def test_threads_write_one_chain(tmp_path: Path) -> None:
    with a_log(tmp_path) as log:
        threads = [
            threading.Thread(target=lambda: [log.append({"what": "x"}) for _ in range(50)])
            for _ in range(8)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    found = verify(tmp_path, key=KEY)
    assert (found.records, found.problems) == (400, [])


def test_files_turn_over_and_the_chain_goes_through_them(tmp_path: Path) -> None:
    written(tmp_path, 40, file_bytes=1500)
    assert len(audit_files(tmp_path)) > 3
    found = verify(tmp_path, key=KEY)
    assert (found.records, found.problems) == (40, [])
    audit_files(tmp_path)[1].unlink()
    assert verify(tmp_path, key=KEY).problems


def test_old_records_are_forgotten_and_that_is_said(tmp_path: Path) -> None:
    written(tmp_path, 20, file_bytes=1500)
    old = audit_files(tmp_path)
    for path in old[:2]:
        then = path.stat().st_mtime - 200 * DAY_S
        os.utime(path, (then, then))
    written(tmp_path, 20, file_bytes=1500, keep_days=190)
    assert not set(old[:2]) & set(audit_files(tmp_path))
    assert verify(tmp_path, key=KEY).problems == []
    audit_files(tmp_path)[0].unlink()
    assert verify(tmp_path, key=KEY).problems


def test_one_server_writes_at_a_time(tmp_path: Path) -> None:
    with a_log(tmp_path), pytest.raises(SettingsError, match="another server"):
        a_log(tmp_path)
    with a_log(tmp_path):
        pass


def test_a_process_that_is_killed_leaves_a_chain_that_goes_on(tmp_path: Path) -> None:
    writes = (
        "import sys; from pathlib import Path; from server.audit.chain import AuditLog\n"
        "log = AuditLog(Path(sys.argv[1]), key=bytes(range(32)), keep_days=400, file_bytes=4000)\n"
        "print('go', flush=True)\n"
        "while True: log.append({'what': 'search', 'cases': ['A-1'] * 20})\n"
    )
    for _ in range(4):
        process = subprocess.Popen(
            [sys.executable, "-c", writes, str(tmp_path)], stdout=subprocess.PIPE
        )
        assert process.stdout is not None
        assert process.stdout.readline() == b"go\n"
        threading.Event().wait(0.05)
        process.send_signal(signal.SIGKILL)
        process.wait()
        process.stdout.close()
        assert verify(tmp_path, key=KEY).problems == []
    written(tmp_path, 1)
    found = verify(tmp_path, key=KEY)
    assert found.problems == []
    assert found.records > 4


def test_a_key_is_made_once_and_is_for_its_owner_only(tmp_path: Path) -> None:
    key = read_key(tmp_path / "deep" / "key")
    assert read_key(tmp_path / "deep" / "key") == key
    assert (tmp_path / "deep" / "key").stat().st_mode & 0o077 == 0
    (tmp_path / "short").write_bytes(b"short")
    with pytest.raises(SettingsError, match="5 bytes"):
        read_key(tmp_path / "short")


def test_equal_questions_have_one_hash_that_says_nothing(tmp_path: Path) -> None:
    with a_log(tmp_path) as log:
        assert log.digest("HSIL") == log.digest("HSIL") != log.digest("LSIL")
    with AuditLog(tmp_path / "other", key=b"y" * 32, keep_days=400) as other:
        assert other.digest("HSIL") != log.digest("HSIL")
