"""Jobs and people that use the pool while faults occur, and record each answer with its time.

There are more of them than clusters, so that many wait in the queue.
"""

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
_PAUSE = 0.1  # seconds before a request is repeated
_UNDECIDED = ("queued", "no answer", "store_unavailable", "too_busy", "outcome_unknown")
_HOLD = 5  # seconds
_CLOCKS_DIFFER = 10.0  # seconds by which the end of a hold may be seen early


@dataclass
class Observations:
    """All answers that the callers received."""

    history: list[Operation] = field(default_factory=list)
    answers: Counter[str] = field(default_factory=Counter)
    unknown_takes: set[str] = field(default_factory=set)  # builds of takes without an answer
    stuck: list[str] = field(default_factory=list)
    successes: list[float] = field(default_factory=list)  # moments at which a caller got a cluster

    @property
    def operations(self) -> int:
        """How many requests were decided: granted, carried out, or refused for a reason."""
        return sum(count for code, count in self.answers.items() if code not in _UNDECIDED)


class Person:
    """One caller: repeatedly takes and returns, or holds and releases, a cluster, at any replica that answers."""

    def __init__(self, number: int, replicas: list[Replica], observed: Observations, seed: int) -> None:
        self._number, self._replicas, self._observed = number, replicas, observed
        self._random = random.Random(f"{seed}-{number}")
        self._turn = self._tries = 0
        self._goes_on: Callable[[], bool] = lambda: True

    async def live(self, goes_on: Callable[[], bool]) -> None:
        """Use the pool while `goes_on` is true, then return what is left."""
        self._goes_on = goes_on
        while goes_on():
            self._turn += 1
            act = self._hold if self._random.random() < 0.03 else self._take
            await act()

    async def _take(self) -> None:
        build, started = f"{self._number}-{self._turn}", time.monotonic()
        fenced = self._random.random() < 0.8
        wait = {"wait": "5m"} if fenced and self._random.random() < 0.7 else {}
        answer = await self._ask("/getvacant", once=not fenced, job="chaos", build=build, **wait)
        if answer is None:
            self._observed.unknown_takes.add(build)
        if answer is None or answer.status != 200:
            await asyncio.sleep(_PAUSE)
            return
        lease = answer.headers["cimaster-lease"]
        self._note("take", answer.text, lease, started, answer)
        self._observed.successes.append(time.monotonic())
        await asyncio.sleep(self._random.uniform(0.0, 0.1))
        started = time.monotonic()
        finished = await self._ask("/finishtest", cluster=answer.text, lease=lease)
        if finished is not None and finished.status == 200:
            self._note("leave", answer.text, lease, started, finished)
        elif finished is not None and finished.headers.get("cimaster-code") == "not_current" and self._tries > 1:
            # an earlier attempt did it; five tenants and hundreds of requests later the pool no longer remembers that
            self._observed.history.append(Operation(answer.text, "leave", lease, started, time.monotonic(), sure=False))

    async def _hold(self) -> None:
        name, started = f"p{self._number}-{self._turn}", time.monotonic()
        answer = await self._ask("/holdcluster", cluster="any", name=name, duration=f"{_HOLD}s", **_JSON)
        if answer is None or answer.status != 200:
            return
        cluster = answer.json()["name"]
        self._note("take", cluster, name, started, answer)
        ends = started + _HOLD - _CLOCKS_DIFFER
        self._observed.history.append(Operation(cluster, "leave", name, ends, NEVER, sure=False))
        await asyncio.sleep(self._random.choice([0.1, 1.5 * _HOLD]))
        started = time.monotonic()
        released = await self._ask("/releasecluster", cluster=cluster, name=name)
        if released is not None and released.status == 200 and "not held" not in released.text:
            self._note("leave", cluster, name, started, released, sure=False)  # it may have ended just before

    def _note(
        self, action: str, cluster: str, tenant: str, started: float, answer: Answer, *, sure: bool = True
    ) -> None:
        commit = int(answer.headers["cimaster-commit"])
        self._observed.history.append(Operation(cluster, action, tenant, started, time.monotonic(), sure, commit))

    async def _ask(self, path: str, *, once: bool = False, **parameters: str) -> Answer | None:
        """Return the final answer to a request, which is repeated until there is one if that is safe.

        None if a request that must not be repeated may have been carried out without an answer.
        """
        headers = {"Accept": parameters.pop("accept")} if "accept" in parameters else {}
        identity = {} if once else {"request_id": str(uuid.uuid4())}
        query, started = urlencode({**parameters, **identity}), time.monotonic()
        self._tries = 0
        while time.monotonic() - started < _GIVE_UP:
            self._tries += 1
            answer = await self._try(f"{path}?{query}", headers)
            code = answer.headers.get("cimaster-code", "") if answer else "no answer"
            self._observed.answers[code or "done"] += 1
            if answer and (answer.status not in (429, 503) or (code == "queued" and not self._goes_on())):
                return answer
            if once and code in ("no answer", "outcome_unknown"):
                return None
            await asyncio.sleep(1.0 if code == "queued" else _PAUSE)
        self._observed.stuck.append(f"{path}?{query}")
        return None

    async def _try(self, target: str, headers: dict[str, str]) -> Answer | None:
        replica = self._random.choice(self._replicas)
        caller = Caller("127.0.0.1", int(replica.url.rpartition(":")[2]))
        waits = "&wait=" in target
        hangs_up = waits and self._random.random() < 0.5
        patience = self._random.uniform(*_HANGS_UP) if hangs_up else PATIENCE + (_KEPT if waits else 0.0)
        try:
            return await asyncio.wait_for(caller.get(target, tries=1, **headers), patience)
        except TimeoutError:
            if not replica.paused and not hangs_up:
                self._observed.stuck.append(f"{replica.url} did not answer {target}")
        except OSError:
            pass
        finally:
            caller.close()
        return None


_JSON: Any = {"accept": "application/json"}
