"""Floods of one address: they delay no finish of another, and bursts of jobs are no floods."""

import asyncio
import re
import uuid
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from cimaster.web.identity.roles import Role
from tests.bench.fleet import Embedded
from tests.bench.flood import flooding, settings_of
from tests.bench.load import Answer, Caller
from tests.conditions import until
from tests.process.raw import connect, crowd, has_news, read
from tests.replica import Replica
from tests.required import bearer, name_of

ELSEWHERE, OFFICE = "127.0.0.3", "127.0.0.4"
CI, OTHER_CI, PERSON, READER = (dict[str, Any](bearer(name)) for name in ("ci-1", "ci-2", "person-1", "reader-1"))
FLOODS = (
    "no credential",
    "unknown token",
    "unknown path",
    "clusters",
    "usage",
    "export",
    "dashboard",
    "takes",
    "waits",
)


@pytest.fixture
def replica(tmp_path: Path) -> Iterator[Replica]:
    """A replica that requires credentials, with 250 clusters."""
    store = Embedded(tmp_path)
    environment: dict[str, Any] = {**store.environment, **settings_of(tmp_path)}
    store.fill(250)
    with Replica(tmp_path, **environment) as started:
        yield started


def port_of(replica: Replica) -> int:
    """Return the port of a replica."""
    return urlsplit(replica.url).port or 0


async def pairs(port: int, source: str, count: int) -> list[Answer]:
    """Take and finish, one after another; return the answers of the finishes."""
    caller, finishes = Caller("127.0.0.1", port, source), []
    for number in range(count):
        taken = await caller.get(f"/getvacant?job=job&build={number}&cluster=cluster-{number:04}", **OTHER_CI)
        assert taken.status == 200, taken.text
        path = f"/finishtest?cluster={taken.text}&lease={taken.headers['cimaster-lease']}"
        finishes.append(await caller.get(path, **OTHER_CI))
    caller.close()
    return finishes


@pytest.mark.parametrize("kind", FLOODS)
def test_no_finish_is_refused_or_outlasts_a_flood(replica: Replica, kind: str) -> None:
    seen, kept = Counter[str](), [f"cluster-{number:04}" for number in range(20)]
    if kind in ("takes", "waits"):  # the flood would take those of the other caller
        for name in kept:
            answer = replica.http.get(
                f"{replica.url}/updatecluster?cluster={name}&purpose=other", headers=bearer(name_of(Role.ADMIN))
            )
            assert answer.ok, answer.text
    with flooding(port_of(replica), kind, -1, seen) as flooder:
        assert flooder.readline() == b"answered\n"
        finishes = asyncio.run(pairs(port_of(replica), ELSEWHERE, len(kept)))
    assert [finish.status for finish in finishes] == [200] * len(kept)
    assert "closed" not in seen


async def together(port: int, source: str, paths: list[str], headers: dict[str, Any]) -> list[Answer]:
    """Send requests at the same time, each on a connection of its own."""
    callers = [Caller("127.0.0.1", port, source) for _ in paths]
    answers = await asyncio.gather(*(caller.get(path, **headers) for caller, path in zip(callers, paths, strict=True)))
    for caller in callers:
        caller.close()
    return answers


def test_a_burst_of_jobs_of_one_owner_is_no_flood(replica: Replica) -> None:
    assert replica.http.get(f"{replica.url}/clusters", headers=READER).ok  # another address is active
    port = port_of(replica)
    takes = [f"/getvacant?job=burst&build={number}&wait=10m&request_id={uuid.uuid4()}" for number in range(200)]
    taken = asyncio.run(together(port, OFFICE, takes, CI))
    assert [answer.status for answer in taken] == [200] * 200
    finishes = [f"/finishtest?cluster={answer.text}&lease={answer.headers['cimaster-lease']}" for answer in taken]
    assert {answer.status for answer in asyncio.run(together(port, OFFICE, finishes, CI))} == {200}


def test_a_burst_of_holds_and_releases_is_no_flood(replica: Replica) -> None:
    assert replica.http.get(f"{replica.url}/clusters", headers=READER).ok
    for verb in ("holdcluster", "releasecluster"):
        paths = [f"/{verb}?cluster=cluster-{number:04}" for number in range(100)]
        answers = asyncio.run(together(port_of(replica), OFFICE, paths, PERSON))
        assert {answer.status for answer in answers} == {200}


def test_a_flood_of_connections_is_refused_and_its_finish_is_not(replica: Replica) -> None:
    assert replica.http.get(f"{replica.url}/clusters", headers=READER).ok
    sent = f"GET / HTTP/1.1\r\nHost: x\r\nAuthorization: {READER['Authorization']}\r\n\r\n".encode()
    finish = sent.replace(b"GET /", b"GET /finishtest?cluster=cluster-0001&job=none&build=1")
    with crowd(replica, 600, sent, source=OFFICE) as clients:
        with connect(replica, finish.replace(b"reader-1", b"ci-1"), source=OFFICE) as other:
            assert read(other).refusal == (409, "not_current")
        until(lambda: any(has_news(client, 0) for client in clients[500:]))
        refused = next(read(client) for client in clients[500:] if has_news(client, 0))
        assert refused.refusal == (429, "too_many_requests")
        assert refused.headers["Retry-After"] == "5"
        metrics = replica.http.get(replica.metrics_url).text
    assert re.search(r'^cimaster_early_refusals_total\{status="429"\} [1-9]', metrics, re.MULTILINE)
    assert re.search(r"^cimaster_paced_requests_total [1-9]\d\d", metrics, re.MULTILINE)


def test_two_owners_behind_an_address_have_turns_of_their_own(replica: Replica) -> None:
    for credential in (READER, CI):
        asyncio.run(together(port_of(replica), OFFICE, ["/clusters"], credential))
    assert replica.http.get(f"{replica.url}/clusters", headers=READER).ok
    sent = f"GET / HTTP/1.1\r\nHost: x\r\nAuthorization: {READER['Authorization']}\r\n\r\n".encode()
    with crowd(replica, 600, sent, source=OFFICE) as clients:
        until(lambda: any(has_news(client, 0) for client in clients[500:]))  # 429: too many are waiting
        (taken,) = asyncio.run(together(port_of(replica), OFFICE, ["/getvacant?job=job&build=1"], CI))
        assert not all(has_news(client, 0) for client in clients)  # so the take did not wait for all of them
    assert taken.status == 200
