"""Every write fails once: does any leave an archive that is not whole?

    python bench/fault_sweep.py [--every 1] [--begin 1] [--change rollback]

For build, add, remove, purge, compact and rollback of a small archive, the n-th call that writes
fails with ENOSPC or EIO, or the process is killed there, for every n. Then the archive must be the
one before or the one after, whole by ``verify``; the error must be one that the program documents;
and the same command must lead to what it leads to undisturbed. Needs gcc.
"""

from __future__ import annotations

import argparse
import ctypes
import errno
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
FAULTS = {"ENOSPC": errno.ENOSPC, "EIO": errno.EIO, "kill": 0}
TOLD, UNTOLD = 3, 4
Change = Callable[[Path], object]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--every", type=int, default=1, help="only every n-th call")
    parser.add_argument("--begin", type=int, default=1, help="with the call of this number")
    parser.add_argument("--change", help="only this change")
    options = parser.parse_args()
    shim = os.environ.get("COIN_FAULT_SHIM")
    if shim is None:
        with tempfile.TemporaryDirectory() as folder:
            library = Path(folder) / "faults.so"
            source = HERE / "fault_shim.c"
            build = ["gcc", "-shared", "-fPIC", "-O1", "-o", str(library), str(source), "-ldl"]
            subprocess.run(build, check=True)  # noqa: S603
            environment = os.environ | {
                "LD_PRELOAD": str(library),
                "COIN_FAULT_SHIM": str(library),
                "OMP_NUM_THREADS": "1",
            }
            again = [sys.executable, *sys.argv]
            sys.exit(subprocess.run(again, env=environment, check=False).returncode)  # noqa: S603
    with tempfile.TemporaryDirectory() as folder:
        tried = (options.begin, options.every)
        sys.exit(_sweep(Path(folder), ctypes.CDLL(shim), tried, options.change))


def _sweep(folder: Path, shim: ctypes.CDLL, tried: tuple[int, int], only: str | None) -> int:
    begin, every = tried
    print(f"{'change':<10}{'calls':>7}{'tried':>7}{'before':>8}{'after':>7}{'told':>6}{'wrong':>7}")
    wrong_in_all = 0
    started = time.process_time()
    for name, base, change in _changes(folder):
        if only not in (None, name):
            continue
        before = _content(base) if base.exists() else None
        whole = folder / "whole"
        _copied(base, whole)
        calls = _forked(lambda whole=whole, change=change: _counted(shim, change, whole))[1]
        after = _content(whole)
        found: Counter[str] = Counter()
        wrong: list[str] = []
        trials = [(n, f) for n in range(begin, calls + 1, every) for f in FAULTS]
        for n, fault in trials:
            root = folder / "tried"
            _copied(base, root)
            code, _ = _forked(
                lambda root=root, n=n, fault=fault, change=change: _disturbed(
                    shim, change, root, n, FAULTS[fault]
                )
            )
            found["told"] += code == TOLD
            if code == UNTOLD:
                wrong.append(f"{name}: {fault} at call {n}: an error that is not documented")
            now = _content(root) if (root / "CURRENT").exists() else None
            found["before" if now == before else "after"] += 1
            if now not in (before, after):
                wrong.append(f"{name}: {fault} at call {n}: neither before nor after")
            resumed, _ = _forked(lambda root=root, change=change: _again(change, root))
            if resumed or _content(root) != after:
                wrong.append(f"{name}: {fault} at call {n}: resumed, it is another archive")
        print(
            f"{name:<10}{calls:>7}{len(trials):>7}{found['before']:>8}{found['after']:>7}"
            f"{found['told']:>6}{len(wrong):>7}",
            flush=True,
        )
        for line in wrong[:5]:
            print("  " + line)
        wrong_in_all += len(wrong)
    print(f"{wrong_in_all} wrong; {time.process_time() - started:.0f} CPU s in this process")
    return int(wrong_in_all > 0)


def _changes(folder: Path) -> Iterator[tuple[str, Path, Change]]:
    """Each change with the archive that it begins with; once done it may be done again."""
    sys.path.insert(0, str(HERE.parent / "tests"))
    from growing_archives import content
    from tiny_archives import LABEL, build_archive, write_pictures

    from coin_retrieval.named_settings import read_store
    from coin_retrieval.testing.histogram_encoder import HistogramEncoder
    from indexer import building, history, removing
    from indexer.rows import read_sources

    first = write_pictures(folder / "first", 5)
    more = write_pictures(folder / "more" / "below", 2, first_seed=50).parent
    settings = building.BuildSettings(LABEL, read_store("hnsw"), 2, 1)

    def build(root: Path) -> object:
        return build_archive(root, first, store="hnsw", batch_size=2)

    def add(root: Path) -> object:
        rows = read_sources([more], archive=root, where={})
        return building.add(root, rows, encoder=HistogramEncoder(), settings=settings)

    def remove(root: Path, *, purge: bool = False) -> object:
        names = {"cell_001", "cell_003"} & {case.case_id for _, case, _ in content(root).values()}
        return names and removing.remove(root, sorted(names), purge=purge, wait_s=0)

    def rollback(root: Path) -> object:
        # a second time would go back from where the first time went
        if history.history(root)[0].manifest.change.command != "rollback":
            return history.rollback(root, "000001")
        return None

    grown = folder / "grown"
    build(grown)
    add(grown)
    thinned = folder / "thinned"
    _copied(grown, thinned)
    remove(thinned)
    yield "build", folder / "none", build
    yield "add", _first(folder, build), add
    yield "remove", grown, remove
    yield "purge", grown, lambda root: remove(root, purge=True)
    yield "compact", thinned, removing.compact
    yield "rollback", thinned, rollback


def _first(folder: Path, build: Change) -> Path:
    build(folder / "one")
    return folder / "one"


def _counted(shim: ctypes.CDLL, change: Change, root: Path) -> tuple[int, int]:
    shim.fault_arm(ctypes.c_long(10**9), 1)
    change(root)
    return 0, shim.fault_calls()


def _disturbed(
    shim: ctypes.CDLL, change: Change, root: Path, n: int, error: int
) -> tuple[int, int]:
    from coin_retrieval.errors import CoinError

    shim.fault_arm(ctypes.c_long(n), error)
    try:
        change(root)
    except CoinError:
        return TOLD, 0
    except BaseException as found:  # noqa: BLE001 - any other is wrong
        shim.fault_arm(ctypes.c_long(-1), 0)
        print(f"  {type(found).__name__}: {found}", file=sys.stderr, flush=True)
        return UNTOLD, 0
    return 0, 0


def _again(change: Change, root: Path) -> tuple[int, int]:
    change(root)
    return 0, 0


def _forked(act: Callable[[], tuple[int, int]]) -> tuple[int, int]:
    """What a child answers; -9 where it was killed. Everything is imported before it is forked."""
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        code = UNTOLD
        try:
            code, number = act()
            os.write(writing, str(number).encode())
        except BaseException as error:  # noqa: BLE001 - the child must not go on
            print(f"  {type(error).__name__}: {error}", file=sys.stderr, flush=True)
        finally:
            os._exit(code)
    os.close(writing)
    with os.fdopen(reading, "rb") as pipe:
        answer = pipe.read()
    status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    return status, int(answer or 0)


def _content(root: Path) -> dict[int, Any]:
    """All that a whole archive says, by id."""
    from growing_archives import content, sound

    sound(root)
    return content(root)


def _copied(source: Path, target: Path) -> None:
    shutil.rmtree(target, ignore_errors=True)
    if source.exists():
        shutil.copytree(source, target)


if __name__ == "__main__":
    main()
