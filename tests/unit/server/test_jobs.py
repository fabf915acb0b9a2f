"""Questions that are answered later."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import httpx2
import pytest
from unit.server.ground import PATIENCE_S, REPORT, GatedGenerator, MakeApp, listening_at, until

from coin_retrieval.client import Client
from coin_retrieval.errors import NotFoundError, ReportError, ServerError
from coin_retrieval.presenting.views import JobView
from coin_retrieval.prototypes.base import Prototyper
from coin_retrieval.prototypes.shared import SharedPrototyper
from coin_retrieval.search.query import Query
from server.access.keys import KeyFile
from server.access.principals import Role
from server.access.settings import AccessSettings
from server.audit.chain import AuditLog, audit_files, records
from server.limits import ServerLimits

LIMITS = ServerLimits(jobs_of_one=2, jobs_kept_s=1.5)


def ended(asking: Client, job: JobView) -> JobView:
    until(lambda: asking.job(job.id).expires_s is not None)
    return asking.job(job.id)


@pytest.fixture(scope="module")
def gated(generator: Prototyper) -> GatedGenerator:
    return GatedGenerator(generator)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("jobs")


@pytest.fixture(scope="module")
def client_of(
    gated: GatedGenerator,
    make_app: MakeApp,
    folder: Path,
) -> Iterator[Callable[[str], Client]]:
    """Clients, by name, of a server with accounts and an audit log."""
    keys = KeyFile(folder / "keys.json")
    with AuditLog(folder / "audit", key=bytes(32), keep_days=400) as log, ExitStack() as clients:
        app = make_app(
            SharedPrototyper(gated, batch_size=8),
            limits=LIMITS,
            access=AccessSettings(keys=keys.path),
            audit=log,
        )
        address = clients.enter_context(listening_at(app, LIMITS))

        def client(name: str) -> Client:
            bearer = {"Authorization": f"Bearer {keys.add(name, Role.ADMIN)}"}
            http = httpx2.Client(headers=bearer, timeout=PATIENCE_S)
            return clients.enter_context(Client(address, http=http))

        yield client
        gated.open.set()


@pytest.fixture
def held(gated: GatedGenerator) -> Iterator[GatedGenerator]:
    """A generator that does not get on."""
    gated.drawing.clear()
    gated.open.clear()
    yield gated
    gated.open.set()


def test_a_job_ends_with_the_answer_of_the_plain_question(
    client_of: Callable[[str], Client],
) -> None:
    asking = client_of("plain")
    query = Query(report=REPORT, prototypes=2, k=3, seed=5100)
    begun = asking.submit(query)
    assert (begun.state, begun.answer) == ("waiting", None)
    job = ended(asking, begun)
    assert (job.state, job.done, job.problem) == ("done", job.of, None)
    assert job.expires_s is not None
    assert job.answer is not None
    plain = asking.search(query)
    assert job.answer.cases == plain.cases
    assert job.answer.prototypes == plain.prototypes


def test_what_can_be_refused_at_once_is_no_job(client_of: Callable[[str], Client]) -> None:
    with pytest.raises(ReportError, match="not plain text"):
        client_of("wrong").submit(Query(report="\0"))


def test_what_cannot_be_answered_fails_with_the_problem(
    client_of: Callable[[str], Client],
) -> None:
    asking = client_of("marks")
    job = ended(asking, asking.submit(Query(report=REPORT, mode="text", liked=("nobody",))))
    assert job.state == "failed"
    assert job.problem is not None
    assert (job.problem.kind, job.problem.status) == ("not_found", 404)


def test_nobody_elses_job_is_shown_or_cancelled(
    client_of: Callable[[str], Client], held: GatedGenerator
) -> None:
    mine = client_of("mine").submit(Query(report=REPORT, seed=5200))
    for ask in (client_of("other").job, client_of("other").cancel):
        with pytest.raises(NotFoundError, match="no such job"):
            ask(mine.id)


def test_a_cancelled_job_stops_drawing_and_is_forgotten(
    client_of: Callable[[str], Client], held: GatedGenerator
) -> None:
    asking = client_of("cancelling")
    job = asking.submit(Query(report=REPORT, seed=5300))
    assert held.drawing.wait(PATIENCE_S)
    asking.cancel(job.id)
    with pytest.raises(NotFoundError):
        asking.job(job.id)
    held.open.set()
    until(lambda: b'coin_queue_held{queue="drawing"} 0.0' in asking.picture("/metrics"))


def test_one_principal_may_not_keep_many(
    client_of: Callable[[str], Client], held: GatedGenerator
) -> None:
    asking = client_of("many")
    for seed in (5400, 5500):
        asking.submit(Query(report=REPORT, seed=seed))
    with pytest.raises(ServerError, match="busy"):
        asking.submit(Query(report=REPORT, seed=5600))
    assert client_of("few").submit(Query(report=REPORT, seed=5600)).state == "waiting"


def test_an_answer_is_forgotten_in_time(client_of: Callable[[str], Client]) -> None:
    asking = client_of("slow")
    job = asking.submit(Query(report=REPORT, mode="text"))
    ended(asking, job)
    threading.Event().wait(LIMITS.jobs_kept_s + 0.5)
    with pytest.raises(NotFoundError, match="expired"):
        asking.job(job.id)


def test_each_showing_is_recorded_and_counts_as_one_search(
    client_of: Callable[[str], Client], folder: Path
) -> None:
    asking = client_of("recorded")
    before = sum(week.searches for week in asking.drift().weeks)
    ended(asking, asking.submit(Query(report=REPORT, mode="text")))
    written = [one for path in audit_files(folder / "audit") for one in records(path)]
    own = [one for one in written if one["who"] == "key:recorded" and "cases" in one]
    assert len(own) >= 2
    assert len({tuple(one["cases"]) for one in own}) == 1
    assert sum(week.searches for week in asking.drift().weeks) == before + 1
