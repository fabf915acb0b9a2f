"""The same archive in files and on servers: the same cases, how fast, and while it changes.

    coin-index export ARCHIVE exported && coin-index build archive.yaml exported
    python bench/backends.py ARCHIVE --servers archive.yaml [--queries 100] [--answers 10000]

Both are asked for the ten cases nearest to a case, with no filter or one of several, and pictures
that repeat each other folded: one question at a time, then eight at once. Cases whose similarities
differ by less than 1e-6 may stand in either order.

Then two `coin-serve`, each with a mirror of its own, answer while a third process publishes:
without the third case of every answer, all on servers written anew, and back. An answer is right
if it is one of the archive in files, with those cases or without them; what holds some of both, or
anything else, is wrong. `--answers 0` leaves this out.
"""

from __future__ import annotations

import json
import multiprocessing
import shutil
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import cycle
from multiprocessing.synchronize import Event
from pathlib import Path
from typing import Any

import numpy as np
import yaml
from measuring import machine, parser, quantiles, show
from served_load import Client, Server

import coin_retrieval
from coin_retrieval.api.archive import SearchableArchive
from coin_retrieval.archive.opening import open_layout
from indexer.history import rollback
from indexer.removing import compact, remove

AT_ONCE = 8
TIE = 1e-6

Question = dict[str, Any]
Cases = list[tuple[str, float]]


def main() -> None:
    options_of = parser(__doc__)
    options_of.add_argument("--servers", required=True, help="the address of the same archive")
    options_of.add_argument("--queries", type=int, default=100)
    options_of.add_argument("--answers", type=int, default=10_000)
    options = options_of.parse_args()
    here, there = Path(options.archive), Path(options.servers)
    with coin_retrieval.open(here) as files, coin_retrieval.open(there) as servers:
        questions = questions_of(files, options.queries)
        known, in_files = asked(files, questions)
        found, on_servers = asked(servers, questions)
        cases, images = files.retriever.archive.catalog.counts()
    differing = sum(not same(one, other) for one, other in zip(known, found, strict=True))
    published: dict[str, Any] = {}
    if options.answers:
        gone = sorted({answer[2][0] for answer in known if len(answer) > 2})
        with tempfile.TemporaryDirectory() as folder:
            without = shutil.copytree(here, Path(folder) / "without")
            remove(without, gone)
            with coin_retrieval.open(without) as files:
                fewer, _ = asked(files, questions)
            published = while_publishing(
                there, Path(folder), questions, [known, fewer], gone, answers=options.answers
            )
    result = {
        "images": images,
        "cases": cases,
        "questions": len(questions),
        "differing": differing,
        "machine": machine(),
        "while publishing": published,
    }
    tables = {"one archive": {"FAISS + SQLite": in_files, "Milvus + PostgreSQL": on_servers}}
    show(result | tables, tables | {"while publishing": {"": published}}, as_json=options.json)


def questions_of(archive: SearchableArchive, count: int) -> list[Question]:
    """A case to find more of, with no filter or one of several."""
    filters: list[dict[str, list[str]]] = [{}]
    for field in ("site", "diagnosis", "origin"):
        filters += [{field: [value]} for value in list(archive.values(field))[:3]]
    filters.append({"origin": ["real"], "site": list(archive.values("site"))[:2]})
    cases = list(archive.retriever.archive.catalog.case_ids())
    chosen = np.random.default_rng(1).permutation(len(cases))[:count]
    return [
        {"liked": [cases[case]], "where": where, "k": 10}
        for case, where in zip(chosen, cycle(filters), strict=False)
    ]


def asked(
    archive: SearchableArchive, questions: Sequence[Question]
) -> tuple[list[Cases], dict[str, float]]:
    """The answers, and how long they took."""
    took: list[float] = []

    def ask(question: Question) -> Cases:
        began = time.perf_counter()
        found = archive.search(**question).cases
        took.append(1000 * (time.perf_counter() - began))
        return [(case.case_id, case.similarity) for case in found]

    for question in questions[:10]:
        ask(question)
    took.clear()
    answers = [ask(question) for question in questions]
    alone = list(took)
    began = time.perf_counter()
    with ThreadPoolExecutor(AT_ONCE) as pool:
        list(pool.map(ask, questions))
    figures = {f"{name}_ms": value for name, value in quantiles(alone).items()}
    return answers, figures | {
        "a_second": round(1000 * len(alone) / sum(alone), 1),
        f"a_second_of_{AT_ONCE}": round(len(questions) / (time.perf_counter() - began), 1),
    }


def same(one: Cases, other: Cases) -> bool:
    if [name for name, _ in one] == [name for name, _ in other]:
        return True
    if len(one) != len(other):
        return False
    near = np.allclose([s for _, s in one], [s for _, s in other], atol=TIE)
    last = one[-1][1] + TIE
    return bool(near) and {n for n, s in one if s > last} == {n for n, s in other if s > last}


def while_publishing(
    address: Path,
    folder: Path,
    questions: Sequence[Question],
    right: Sequence[Sequence[Cases]],
    gone: Sequence[str],
    *,
    answers: int,
) -> dict[str, Any]:
    """Ask two servers while a third process publishes, and judge every answer."""
    machines = [_machine(address, folder / name) for name in ("one", "two", "three")]
    servers = [Server(str(mine), folder / f"cache-{mine.stem}") for mine in machines[:2]]
    context = multiprocessing.get_context("spawn")
    stop, versions = context.Event(), context.Queue()
    publisher = context.Process(target=publish, args=(machines[2], gone, stop, versions))
    counts = dict.fromkeys(("all cases", "fewer cases", "wrong", "refused"), 0)
    failed: Counter[str] = Counter()
    publisher.start()

    def ask(number: int) -> None:
        client = Client(servers[number % 2])
        for turn in range(number, answers, 2 * AT_ONCE):
            of = turn % len(questions)
            status, body = client.ask("POST", "/v1/search", questions[of])
            while status == 503:
                counts["refused"] += 1
                status, body = client.ask("POST", "/v1/search", questions[of])
            told = json.loads(body)
            if status != 200:
                failed[f"{status} {told['kind']}: {told['problem']}"] += 1
                continue
            found = [(c["case_id"], c["similarity"]) for c in told["cases"]]
            fits = [same(found, state[of]) for state in right]
            counts[("all cases", "fewer cases")[fits.index(True)] if any(fits) else "wrong"] += 1

    began = time.perf_counter()
    try:
        with ThreadPoolExecutor(2 * AT_ONCE) as pool:
            list(pool.map(ask, range(2 * AT_ONCE)))
        took_s = time.perf_counter() - began
    finally:
        stop.set()
        publisher.join()
        for server in servers:
            server.stop()
    return counts | failed | {"versions": versions.get(), "a_second": round(answers / took_s, 1)}


def publish(address: Path, gone: Sequence[str], stop: Event, versions: Any) -> None:
    """Without these cases, written anew, with them again; until it is told to stop."""
    published = 0
    while not stop.is_set():
        full = open_layout(address).current_name()
        remove(address, gone)
        stop.wait(5)
        compact(address)
        stop.wait(5)
        rollback(address, full)
        stop.wait(5)
        published += 3
    versions.put(published)


def _machine(address: Path, scratch: Path) -> Path:
    """The address as another machine has it, with a mirror of its own."""
    said = yaml.safe_load(address.read_text("utf-8")) | {"scratch": str(scratch)}
    path = scratch.with_suffix(".yaml")
    path.write_text(yaml.safe_dump(said), "utf-8")
    return path


if __name__ == "__main__":
    main()
