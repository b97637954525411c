"""The changes that jobs wait for, as values that can be passed on to another replica."""

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Self

from cimaster.errors import TooBusy
from cimaster.pool.ask import Ask
from cimaster.pool.lending import Finish, finish, take, undo
from cimaster.pool.repeats import Request, once
from cimaster.pool.state import Answer, Pool
from cimaster.pool.waiting import Stay, take_or_wait


@dataclass(frozen=True)
class Take:
    """Lend a cluster under a lease id that was drawn for this request alone.

    `again` if another replica may have carried it out already: then the lease is looked for first.
    """

    ask: Ask
    lease_id: str
    request: Request | None = None
    again: bool = False

    def __call__(self, pool: Pool, now: datetime) -> tuple[Pool, Answer]:
        """Decide."""
        granted = self._granted(pool) if self.again else None
        return (pool, granted) if granted else self._take(pool, now)

    def _take(self, pool: Pool, now: datetime) -> tuple[Pool, Answer]:
        return take(pool, now, self.ask, self.lease_id, self.request)

    def _granted(self, pool: Pool) -> Answer | None:
        for cluster in pool.clusters:
            if cluster.lease and cluster.lease.id == self.lease_id:
                return Answer(cluster.name, cluster, self.lease_id)
            if any(ended.id == self.lease_id for ended in cluster.ended_leases):
                raise TooBusy("a cluster was granted and taken back before anybody could be told; ask again")
        return None

    def undo(self, pool: Pool, now: datetime) -> tuple[Pool, Answer]:
        """Decide what becomes of it if its caller never learnt the name."""
        return undo(pool, now, self.lease_id)

    def repeated(self) -> Self:
        """Return the change as one that may have been carried out."""
        return dataclasses.replace(self, again=True)


@dataclass(frozen=True)
class TakeOrWait(Take):
    """The same for somebody who keeps a place in the queue if it is not their turn."""

    stay: Stay = Stay()

    def _take(self, pool: Pool, now: datetime) -> tuple[Pool, Answer]:
        return take_or_wait(pool, now, self.ask, self.lease_id, self.stay, self.request)


@dataclass(frozen=True)
class GiveBack:
    """End a lease that the caller names; harmless when repeated."""

    said: Finish
    request: Request | None = None

    def __call__(self, pool: Pool, now: datetime) -> tuple[Pool, Answer]:
        """Decide."""
        return once(pool, now, self.request, lambda: finish(pool, now, self.said))

    def repeated(self) -> "GiveBack":
        """Return the change as one that may have been carried out."""
        return self


Command = Take | GiveBack
_SPANS = ("wait", "connected", "keeps")


def to_json(command: Command) -> dict[str, Any]:
    """Return a command as JSON has it."""
    told = dataclasses.asdict(command)
    if isinstance(command, Take) and command.ask.ttl:
        told["ask"]["ttl"] = command.ask.ttl.total_seconds()
    if isinstance(command, TakeOrWait):
        stay = told.pop("stay")
        spans = {name: None if stay[name] is None else stay[name].total_seconds() for name in _SPANS}
        return {
            "stay": {"priority": stay["priority"], **spans},
            "take": told,
        }  # who knows of no queue must not take it for a plain take
    return told


def from_json(told: Mapping[str, Any]) -> Command:
    """Read a command; KeyError, TypeError or ValueError if it is none."""
    if "stay" in told:
        stay = told["stay"]
        spans = {name: None if stay[name] is None else timedelta(seconds=stay[name]) for name in _SPANS}
        plain = from_json(told["take"])
        if not isinstance(plain, Take):
            raise ValueError("what waits is a take")
        return TakeOrWait(plain.ask, plain.lease_id, plain.request, plain.again, Stay(**{**stay, **spans}))
    request = Request(**told["request"]) if told["request"] else None
    if "said" in told:
        return GiveBack(Finish(**told["said"]), request)
    ask = dict(told["ask"])
    ttl = ask.pop("ttl")
    asked = Ask(**ask, ttl=timedelta(seconds=ttl) if ttl else None)
    return Take(asked, str(told["lease_id"]), request, bool(told["again"]))
