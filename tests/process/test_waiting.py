"""Waiting with real processes: connections that break, replicas that die, and curl."""

import socket
import subprocess
import threading
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor

import requests

from tests.conditions import until
from tests.process.conftest import Start, fill, records
from tests.replica import Replica

BRIEF = "tests.process.brief_waits:app"


def url(replica: Replica, build: object, wait: str = "10m", **more: str) -> str:
    """Return the URL of a waiting take."""
    query = "".join(f"&{key}={value}" for key, value in more.items())
    return f"{replica.url}/getvacant?job=e2e&build={build}&wait={wait}&request_id=r-{build}{query}"


def curl(replica: Replica, build: object) -> "subprocess.Popen[str]":
    """Wait as a CI script does."""
    command = ["curl", "-sS", "--fail", "--retry", "1000", "--retry-max-time", "120", url(replica, build)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def tickets(replica: Replica) -> dict[str, bool]:
    """Return the waiting builds, in order, and whether each is connected."""
    answer = requests.get(f"{replica.url}/queue", headers={"Accept": "application/json"}, timeout=60)
    return {ticket["ask"]["build"]: ticket["there"] for ticket in answer.json()["tickets"]}


def test_curl_follows_the_queue_by_itself_and_prints_the_bare_name(start: Start) -> None:
    replica = start("a", BRIEF)
    fill(replica, 1)
    assert replica.get("/getvacant", job="first", build="1").ok
    with curl(replica, 2) as waiting:
        until(lambda: replica.server.log.read_text().count("GET /getvacant 429") >= 2)
        assert replica.get("/finishtest", cluster="cluster-000", job="first", build="1").ok
        printed, errors = waiting.communicate(timeout=60)
    assert (waiting.returncode, printed) == (0, "cluster-000"), errors
    assert records(replica)["cluster-000"]["lastBuild"] == "2"


def test_a_disconnected_waiter_is_skipped_for_the_next_one(start: Start) -> None:
    replica, other = start("a"), start("b")
    fill(replica, 1)
    assert replica.get("/getvacant", job="first", build="1").ok
    with curl(replica, 2) as gone, curl(other, 3) as patient:
        until(lambda: len(tickets(other)) == 2)
        first, second = (gone, patient) if next(iter(tickets(other))) == "2" else (patient, gone)
        first.kill()
        assert replica.get("/finishtest", cluster="cluster-000", job="first", build="1").ok
        assert second.communicate(timeout=60)[0] == "cluster-000"
        assert replica.get("/getvacant", job="hasty", build="9").status_code == 404


def test_a_place_outlives_the_replica_at_which_it_was_taken(start: Start) -> None:
    doomed, other = start("a"), start("b")
    fill(doomed, 1)
    assert doomed.get("/getvacant", job="first", build="1").ok
    with ThreadPoolExecutor(2) as threads:
        broken = threads.submit(requests.get, url(doomed, 2), timeout=60)
        until(lambda: "2" in tickets(other))
        after = threads.submit(requests.get, url(other, 3), timeout=60)
        until(lambda: "3" in tickets(other))
        doomed.server.crash()
        assert isinstance(broken.exception(), requests.ConnectionError)
        again = threads.submit(requests.get, url(other, 2), timeout=60)
        until(lambda: waiting_callers(other) == 2)
        assert other.get("/finishtest", cluster="cluster-000", job="first", build="1").ok
        assert again.result().text == "cluster-000"
        assert other.get("/finishtest", cluster="cluster-000", job="e2e", build="2").ok
        assert after.result().text == "cluster-000"


def test_a_request_abandoned_while_the_process_was_paused_gets_nothing(start: Start) -> None:
    replica = start()
    fill(replica, 1)
    with replica.stopped():
        target = url(replica, 2).removeprefix(replica.url)
        with socket.create_connection(("127.0.0.1", int(replica.url.rpartition(":")[2]))) as gone:
            gone.sendall(f"GET {target} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
    until(lambda: "GET /getvacant" in replica.server.log.read_text())
    assert records(replica)["cluster-000"]["state"] == "vacant"
    assert tickets(replica) == {}


def waiting_callers(replica: Replica) -> int:
    """Return how many waiting callers the replica keeps connected."""
    lines = requests.get(replica.metrics_url, timeout=60).text.splitlines()
    return int(float(next(line for line in lines if line.startswith("cimaster_callers_kept ")).split()[1]))


def test_sigterm_sends_waiters_to_another_replica(start: Start) -> None:
    leaving, other = start("a"), start("b")
    fill(leaving, 1)
    assert leaving.get("/getvacant", job="first", build="1").ok
    with ThreadPoolExecutor(1) as threads:
        waiting = threads.submit(requests.get, url(leaving, 2), timeout=60)
        until(lambda: waiting_callers(leaving) == 1)
        leaving.server.stop(60)
        assert (waiting.result().status_code, waiting.result().text) == (429, "")
    assert list(tickets(other)) == ["2"]


def test_a_hundred_jobs_share_ten_clusters_and_none_is_lent_twice(start: Start) -> None:
    replicas = [start(name) for name in "abc"]
    fill(replicas[0], 10)
    holders: Counter[str] = Counter()
    doubled, guard = [], threading.Lock()

    def job(number: int) -> str:
        while (answer := requests.get(url(replicas[number % 3], number), timeout=60)).status_code == 429:
            time.sleep(int(answer.headers["Retry-After"]))
        with guard:
            holders[answer.text] += 1
            if holders[answer.text] > 1:
                doubled.append(answer.text)
        with guard:
            holders[answer.text] -= 1
        done = requests.get(
            f"{replicas[(number + 1) % 3].url}/finishtest",
            params={"cluster": answer.text, "lease": answer.headers["CIMaster-Lease"]},
            timeout=60,
        )
        assert done.ok, done.text
        return answer.text

    with ThreadPoolExecutor(100) as jobs:
        got = list(jobs.map(job, range(100)))
    assert doubled == []
    assert set(got) == set(records(replicas[0]))
    until(lambda: all(record["state"] == "vacant" for record in records(replicas[1]).values()))
    until(lambda: tickets(replicas[2]) == {})
