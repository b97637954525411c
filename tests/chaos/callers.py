"""Callers that use the pool while faults occur, and record each answer with its time."""

import asyncio
import random
import time
import uuid
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlencode

from tests.bench.load import Answer, Caller
from tests.chaos.checker import NEVER, Operation
from tests.replica import Replica

PATIENCE = 15.0  # seconds for one answer; a service that works answers within its deadline
_KEPT = 25.0  # seconds for which a request may wait in the queue beyond that
_HANGS_UP = 0.3, 5.0  # seconds after which some of the waiting callers disconnect and repeat the request
_GIVE_UP = 120.0  # seconds after which a caller counts as stuck
PAUSE = 0.1  # seconds before a request is repeated
_UNDECIDED = ("queued", "no answer", "store_unavailable", "too_busy", "outcome_unknown")
_CLOCKS_DIFFER = 10.0  # seconds by which the end of a hold may be seen early


@dataclass(frozen=True)
class Wait:
    """A person's request to hold a cluster when it is free: when it was made, and for how many seconds."""

    started: float
    lasts: float


@dataclass
class Observations:
    """All answers that the callers received."""

    history: list[Operation] = field(default_factory=list)
    answers: Counter[str] = field(default_factory=Counter)
    unknown_takes: set[str] = field(default_factory=set)  # builds of takes without an answer
    waits: dict[str, Wait] = field(default_factory=dict)  # by person; what they got is only in the stored history
    stuck: list[str] = field(default_factory=list)
    successes: list[float] = field(default_factory=list)  # moments at which a caller got a cluster

    @property
    def operations(self) -> int:
        """How many requests were decided: granted, carried out, or refused for a reason."""
        return sum(count for code, count in self.answers.items() if code not in _UNDECIDED)


def expiry(cluster: str, person: str, started: float, seconds: float) -> Operation:
    """Return the end of a hold that was requested at `started`; it may have another end before that."""
    return Operation(cluster, "leave", person, started + seconds - _CLOCKS_DIFFER, NEVER, sure=False)


class StormCaller:
    """One caller: it makes requests at any replica that answers, and records what follows from the answers."""

    def __init__(self, number: int, replicas: list[Replica], observed: Observations, seed: int) -> None:
        self.number, self._replicas, self.observed = number, replicas, observed
        self.random = random.Random(f"{seed}-{number}")
        self.turn = self.tries = 0
        self.goes_on: Callable[[], bool] = lambda: True

    def note(
        self, action: str, cluster: str, tenant: str, started: float, answer: Answer | None, *, sure: bool = True
    ) -> None:
        """Record what a caller did to a cluster between `started` and now; without an answer it names no commit."""
        commit = int(answer.headers["cimaster-commit"]) if answer else 0
        self.observed.history.append(Operation(cluster, action, tenant, started, time.monotonic(), sure, commit))

    def note_passed(self, cluster: str, tenant: str, next_tenant: str, started: float, answer: Answer) -> None:
        """Record that a cluster passed from one tenant to the next in one step."""
        commit, ended = int(answer.headers["cimaster-commit"]), time.monotonic()
        passed = Operation(cluster, "pass", tenant, started, ended, commit=commit, next_tenant=next_tenant)
        self.observed.history.append(passed)

    def note_expiry(self, cluster: str, person: str, started: float, seconds: float) -> None:
        """Record that a hold, requested at `started`, may end by itself."""
        self.observed.history.append(expiry(cluster, person, started, seconds))

    async def ask(self, path: str, *, once: bool = False, **parameters: str) -> Answer | None:
        """Return the final answer to a request, which is repeated until there is one if that is safe.

        None if a request that must not be repeated may have been carried out without an answer.
        """
        headers = {"Accept": "application/json"} if parameters.pop("accept", "") else {}
        identity = {} if once else {"request_id": str(uuid.uuid4())}
        return await self.answer(f"{path}?{urlencode({**parameters, **identity})}", headers, once=once)

    async def list_clusters(self, **filters: str) -> list[dict[str, Any]]:
        """Return the clusters that match; none if no replica answers."""
        answer = await self.answer(f"/clusters?{urlencode(filters)}", {"Accept": "application/json"})
        found: list[dict[str, Any]] = answer.json()["clusters"] if answer and answer.status == 200 else []
        return found

    async def answer(self, target: str, headers: dict[str, str] | None = None, *, once: bool = False) -> Answer | None:
        """Return the final answer to a GET of this path and query; see `ask`."""
        started = time.monotonic()
        self.tries = 0
        while time.monotonic() - started < _GIVE_UP:
            self.tries += 1
            answer = await self._try(target, headers or {})
            code = answer.headers.get("cimaster-code", "") if answer else "no answer"
            self.observed.answers[code or "done"] += 1
            if answer and (answer.status not in (429, 503) or (code == "queued" and not self.goes_on())):
                return answer
            if once and code in ("no answer", "outcome_unknown"):
                return None
            await asyncio.sleep(1.0 if code == "queued" else PAUSE)
        self.observed.stuck.append(target)
        return None

    async def _try(self, target: str, headers: dict[str, str]) -> Answer | None:
        replica = self.random.choice(self._replicas)
        caller = Caller("127.0.0.1", int(replica.url.rpartition(":")[2]))
        waits = target.startswith("/getvacant") and "&wait=" in target
        hangs_up = waits and self.random.random() < 0.5
        patience = self.random.uniform(*_HANGS_UP) if hangs_up else PATIENCE + (_KEPT if waits else 0.0)
        try:
            return await asyncio.wait_for(caller.get(target, tries=1, **headers), patience)
        except TimeoutError:
            if not replica.paused and not hangs_up:
                self.observed.stuck.append(f"{replica.url} did not answer {target}")
        except OSError:
            pass
        finally:
            caller.close()
        return None
