"""Jobs that take clusters, report results, and give the clusters back or leave them to the person who debugs them.

There are more of them than clusters, so that many wait in the queue.
"""

import asyncio
import time
from collections.abc import Sequence
from typing import Any

from tests.bench.load import Answer
from tests.chaos.callers import PAUSE, StormCaller
from tests.chaos.checker import PERSON, Operation

HOLD_AFTER_FAILURE = 5  # seconds


class Job(StormCaller):
    """Takes a cluster and gives it back, turn by turn."""

    broken: Sequence[str] = ()  # clusters on which every test fails
    cleaned_purpose = ""  # of the clusters that are cleaned after each use

    async def take_and_finish(self) -> None:
        """Take a cluster of some kind, and give it back with a result."""
        build, started = f"{self.number}-{self.turn}", time.monotonic()
        fenced = self.random.random() < 0.8
        parameters: dict[str, Any] = {"job": f"chaos-{self.number}", "build": build, "name": _who_triggered(build)}
        if fenced and self.random.random() < 0.7:
            parameters["wait"] = "10s"
        if self.random.random() < 0.2:
            parameters["purpose"] = self.cleaned_purpose
        answer = await self.ask("/getvacant", once=not fenced, **parameters)
        if answer is None:
            self.observed.unknown_takes.add(build)
        if answer is None or answer.status != 200:
            await asyncio.sleep(PAUSE)
            return
        lease = answer.headers["cimaster-lease"]
        self.note("take", answer.text, lease, started, answer)
        self.observed.successes.append(time.monotonic())
        await asyncio.sleep(self.random.uniform(0.0, 0.1))
        await self._finish(answer.text, lease, build)

    async def _finish(self, cluster: str, lease: str, build: str) -> None:
        is_broken, started = cluster in self.broken, time.monotonic()
        result = "fail" if is_broken or self.random.random() < 0.03 else self.random.choice(["", "pass"])
        holds = result == "fail" and self.random.random() < 0.2
        parameters: dict[str, Any] = {"result": result} if result else {}
        if holds:
            parameters["hold"] = f"{HOLD_AFTER_FAILURE}s"
        finished = await self.ask("/finishtest", cluster=cluster, lease=lease, **parameters)
        if finished is None:
            return
        if finished.status == 200 and holds:
            self._note_held(cluster, lease, build, started, finished)
        elif finished.status == 200:
            self.note("leave", cluster, lease, started, finished)
        elif finished.headers.get("cimaster-code") == "not_current" and self.tries > 1:
            # an earlier attempt did it; five tenants and hundreds of requests later the pool no longer remembers that
            self.observed.history.append(Operation(cluster, "leave", lease, started, time.monotonic(), sure=False))

    def _note_held(self, cluster: str, lease: str, build: str, started: float, finished: Answer) -> None:
        person = _who_triggered(build)
        self.note_passed(cluster, lease, person, started, finished)
        self.note_expiry(cluster, person, started, HOLD_AFTER_FAILURE)


def _who_triggered(build: str) -> str:
    return f"{PERSON}{build}-of-a-job"
