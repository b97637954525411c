"""Three replicas on a real API server, callers and faults: every answer must have been true."""

import asyncio
import json
import random
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from kubernetes.client import CoreV1Api

from cimaster.pool import Pool
from tests.bench.fleet import records
from tests.chaos.callers import Observations, Wait, expiry
from tests.chaos.checker import NEVER, Operation, steps_back, violations
from tests.chaos.events import Events
from tests.chaos.jobs import Job
from tests.chaos.people import Person
from tests.kube.apiserver import ControlPlane
from tests.kube.archived_changes import ArchiveVersions
from tests.kube.faults import FaultyServer
from tests.kube.recorded_notices import JudgedNotices
from tests.kube.stored_versions import StoredVersion, pools
from tests.notifiers.receiver import LOST, OK, SECRET, Receiver
from tests.pool_history import PoolHistory
from tests.replica import Replica

DEADLINE = 5.0  # seconds; the default is 20, and every pause of a replica would take longer than that
CLUSTERS, CALLERS = 24, 48
CLEANED_PURPOSE = "cleaned"
_CLEANED, _BROKEN = 6, 2  # clusters that are cleaned after each use, and clusters on which every test fails
_CLEAN = """#!/bin/sh
# fails once in 32 runs
test "$(od -An -N1 -tu1 /dev/urandom)" -ge 8
"""
_PERSONAL = 0.08  # of the turns are those of a person
_KINDS = 3  # faults that a storm has at least
APPLICATION = "tests.process.brief_claims:app"
_ANSWERS = (*[OK] * 12, LOST, (500, {}), (429, {"Retry-After": "1"}))  # of the receiver of notices
_WRONG_BY = (0, 4, -3)  # seconds by which the clocks of the replicas are wrong; the last is off by an hour for a while


@dataclass
class Outcome:
    """The result of a storm."""

    observed: Observations
    events: Events
    seconds: float
    problems: list[str]
    archived: int  # changes that were moved into the archive
    notices: int  # that were recorded

    @property
    def slowest_return(self) -> float:
        """Seconds from the return of the API server to the next cluster that a caller got, at worst."""
        gaps = (
            min((moment - back for moment in self.observed.successes if moment >= back), default=0.0)
            for back in self.events.store_back
        )
        return max(gaps, default=0.0)


class Storm:
    """The replicas, callers and faults of one run."""

    def __init__(self, plane: ControlPlane, folder: Path, seed: int, application: str = APPLICATION) -> None:
        self._plane, self._folder, self._seed, self._application = plane, folder, seed, application
        self._checks = self._define_clean()
        chance = random.Random(seed)
        self._receiver = Receiver(lambda _path: chance.choice(_ANSWERS))
        self._namespace = plane.namespace()
        plane.apply(self._namespace)

    def rage(self, operations: int, longest: float, patience: float = 30.0) -> Outcome:
        """Run until this many requests were answered (or this many seconds are over), then judge.

        Leases and holds that must expire have `patience` seconds to do so.
        """
        self._fill()
        observed, started = Observations(), time.monotonic()
        with (
            ArchiveVersions(self._plane.etcd_url, self._namespace) as versions,
            self._receiver,
            self._replicas() as (replicas, networks),
        ):
            events = Events(self._plane, replicas, networks, self._clock_file(len(replicas) - 1), DEADLINE, self._seed)
            events.start()
            try:
                asyncio.run(self._live(replicas, observed, events, operations, longest))
            finally:
                events.stop()
            for network in networks:
                network.release_late()
            stored = self._settled(replicas[0], observed, patience)
            notices = self._judged_notices(versions, patience)
            history, archive = versions.pool(), versions.judge()
        problems = _judge(observed, stored, history) + archive.problems + notices.problems
        seconds = time.monotonic() - started
        return Outcome(observed, events, seconds, problems, archive.archived, len(notices.recorded))

    async def _live(
        self, replicas: list[Replica], observed: Observations, events: Events, operations: int, longest: float
    ) -> None:
        """Let all callers continue until there were enough operations and faults."""
        callers = [
            (Job(number, replicas, observed, self._seed), Person(number, replicas, observed, self._seed))
            for number in range(CALLERS)
        ]
        until = time.monotonic() + longest

        def goes_on() -> bool:
            enough = observed.operations >= operations and len(events.seen) >= _KINDS
            return not enough and time.monotonic() < until

        await asyncio.gather(*(_live(job, person, goes_on) for job, person in callers))

    def _fill(self) -> None:
        with self._plane.admin as admin:
            core = CoreV1Api(admin)
            core.delete_namespaced_config_map("clusters", self._namespace)
            filled: Any = {"metadata": {"name": "clusters"}, "data": _pool()}
            core.create_namespaced_config_map(self._namespace, filled)

    def _define_clean(self) -> Path:
        """Write the file of the checks, and the program that it names."""
        program, checks = self._folder / "clean", self._folder / "checks.ini"
        program.write_text(_CLEAN)
        program.chmod(0o700)
        checks.write_text(f"[wipe]\nkind = command\nprogram = {program}\ntimeout = 10s\n")
        return checks

    def _define_channel(self) -> Path:
        """Write the file of the channels; the receiver must be running."""
        secret, channels = self._folder / "secret", self._folder / "notices.ini"
        secret.write_text(SECRET)
        url = self._receiver.url
        channels.write_text(f"[hook]\nkind = webhook\nurl = {url}\nsecret_file = {secret}\ntimeout = 2s\n")
        return channels

    def _judged_notices(self, versions: ArchiveVersions, patience: float) -> JudgedNotices:
        """Judge the notices in a version that has all of them delivered, if there is one soon enough."""
        until = time.monotonic() + patience
        while True:
            as_of, history = time.monotonic(), versions.pool()
            if as_of > until or not history[-1].pool().outbox.notices:
                judged = JudgedNotices(history, self._receiver.deliveries, as_of)
                judged.problems += ["a notice was not signed"] * self._receiver.unsigned
                return judged
            time.sleep(0.2)

    @contextmanager
    def _replicas(self) -> Iterator[tuple[list[Replica], list[FaultyServer]]]:
        """Start the replicas: the first talks to the API server, the others through a network that can fail."""
        with ExitStack() as stack:
            networks = [stack.enter_context(FaultyServer(self._plane).running()) for _ in _WRONG_BY[1:]]
            addresses = [self._plane.url, *(network.url for network in networks)]
            yield [stack.enter_context(self._replica(*each)) for each in enumerate(addresses)], networks

    def _clock_file(self, number: int) -> Path:
        return self._folder / f"clock-{number}"

    def _replica(self, number: int, address: str) -> Replica:
        clock = self._clock_file(number)
        clock.write_text(str(_WRONG_BY[number]))
        kubeconfig = self._plane.service_account_kubeconfig(
            self._namespace, self._folder / f"kubeconfig-{number}", address
        )
        return Replica(
            self._folder,
            f"replica-{number}",
            arguments=("python:cimaster.gunicorn_conf", self._application),
            CIMASTER_STORE="kubernetes",
            CIMASTER_NAMESPACE=self._namespace,
            KUBECONFIG=str(kubeconfig),
            CIMASTER_DEADLINE=f"{DEADLINE:.0f}s",
            CIMASTER_CHECKS_FILE=str(self._checks),
            CLOCK_FILE=str(clock),
            CIMASTER_NOTICES_FILE=str(self._define_channel()),
        )

    @staticmethod
    def _settled(replica: Replica, observed: Observations, patience: float) -> list[dict[str, str]]:
        """Return the stored records once everything that expires has expired."""
        until = time.monotonic() + patience
        newest = max((operation.commit for operation in observed.history), default=0)
        while True:
            listed = replica.http.get(
                f"{replica.url}/clusters?after={newest}", headers={"Accept": "application/json"}, timeout=30
            )
            stored: list[dict[str, str]] = json.loads(listed.text)["clusters"]
            strangers = [r for r in stored if r["state"] == "occupied" and r["lastBuild"] not in observed.unknown_takes]
            if not strangers or time.monotonic() > until:
                return stored
            time.sleep(0.2)


def _judge(observed: Observations, stored: list[dict[str, str]], versions: list[StoredVersion]) -> list[str]:
    """Return the false answers, and what must not have been stored."""
    now = time.monotonic()
    problems = [f"stuck: {text}" for text in observed.stuck] + steps_back(observed.history)
    seen = list(observed.history)
    for record in stored:
        unclaimed = record["state"] == "occupied" and record["lastBuild"] in observed.unknown_takes
        tenant = "" if unclaimed else str(record.get("leaseId") or record.get("holdBy") or "")
        seen.append(Operation(record["name"], "see", tenant, now, NEVER))
    history, monotonic_began = PoolHistory(), datetime.now(UTC) - timedelta(seconds=now)
    for version, pool in pools(versions):
        problems += history.follow(pool, monotonic_began + timedelta(seconds=version.seen_at))
        seen += _held_when_free(pool, observed.waits, version.seen_at)
    problems += [f"{history.gaps} commits are missing"] * bool(history.gaps)
    return problems + violations(seen)


def _held_when_free(pool: Pool, waits: Mapping[str, Wait], seen_at: float) -> Iterator[Operation]:
    """Yield the holds that a commit gave to people who waited: they may learn of them late, or not at all."""
    for entry in pool.entries_of(pool.commit):
        if entry.event in ("held", "held when free") and entry.by in waits:
            wait = waits[entry.by]
            yield Operation(entry.cluster, "take", entry.by, wait.started, seen_at)
            yield expiry(entry.cluster, entry.by, wait.started, wait.lasts)


def _pool() -> dict[str, str]:
    """Return the stored pool, in which some clusters are cleaned after each use."""
    clusters = json.loads(records(CLUSTERS))
    for record in clusters[-_CLEANED:]:
        record["purpose"] = CLEANED_PURPOSE
    rules = [{"purpose": CLEANED_PURPOSE, "clean": "wipe"}]
    return {"cluster.json": json.dumps(clusters), "purposes.json": json.dumps(rules)}


async def _live(job: Job, person: Person, goes_on: Callable[[], bool]) -> None:
    """Let a caller use the pool as a job or as a person, turn by turn, and then return what is left."""
    job.goes_on = person.goes_on = goes_on
    job.broken = [record["name"] for record in json.loads(records(_BROKEN))]
    job.cleaned_purpose = CLEANED_PURPOSE
    acts = [person.hold, person.share, person.hand_over, person.take_over, person.hold_when_free, person.change_health]
    while goes_on():
        job.turn = person.turn = job.turn + 1
        act = person.random.choice(acts) if person.random.random() < _PERSONAL else job.take_and_finish
        await act()


def storm(seed: int, operations: int, longest: float) -> Outcome:
    """Run a storm on a control plane of its own."""
    with ControlPlane() as plane, tempfile.TemporaryDirectory(prefix="cimaster-chaos-") as folder:
        return Storm(plane, Path(folder), seed).rage(operations, longest)
