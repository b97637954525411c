"""People that hold, share, hand over, take over and wait for clusters, and admins that change their health."""

import asyncio
import time
from typing import Any

from tests.chaos.callers import StormCaller, Wait
from tests.chaos.checker import PERSON

ADMIN = "root"
_HOLD = 5  # seconds
_LONGEST_WAIT = 10.0  # seconds after which a person gives up a place in the queue
_LONG_HOLD = 60  # seconds, of a person who may learn late that it has begun


class Person(StormCaller):
    """Uses the pool as people do; each turn has names of its own, so that each hold is another tenant."""

    def _named(self, role: str = "") -> str:
        return f"{PERSON}{self.number}-{self.turn}{role}"

    async def _hold_any(self, person: str, **more: Any) -> str:
        """Hold a vacant cluster, and return its name; empty if none is vacant."""
        started = time.monotonic()
        answer = await self.ask(
            "/holdcluster", cluster="any", name=person, duration=f"{_HOLD}s", accept="application/json", **more
        )
        if answer is None or answer.status != 200:
            return ""
        cluster: str = answer.json()["name"]
        self.note("take", cluster, person, started, answer)
        self.note_expiry(cluster, person, started, _HOLD)
        return cluster

    async def _release(self, cluster: str, person: str, by: str = "") -> None:
        started = time.monotonic()
        released = await self.ask("/releasecluster", cluster=cluster, name=by or person)
        if released is not None and released.status == 200 and "not held" not in released.text:
            self.note("leave", cluster, person, started, released, sure=False)  # it may have ended just before

    async def hold(self) -> None:
        """Hold a cluster, and release it before or after its time is over."""
        cluster = await self._hold_any(self._named())
        if cluster:
            await asyncio.sleep(self.random.choice([0.1, 1.5 * _HOLD]))
            await self._release(cluster, self._named())

    async def share(self) -> None:
        """Hold a cluster that a friend releases."""
        cluster = await self._hold_any(self._named(), **{"with": self._named("-friend")})
        if cluster:
            await self._release(cluster, self._named(), by=self._named("-friend"))

    async def hand_over(self) -> None:
        """Hold a cluster, hand it over, and let the next person release it."""
        giver, receiver = self._named(), self._named("-next")
        cluster, started = await self._hold_any(giver), time.monotonic()
        if not cluster:
            return
        handed = await self.ask("/releasecluster", cluster=cluster, name=giver, to=receiver)
        if handed is not None and handed.status == 200:
            self.note_passed(cluster, giver, receiver, started, handed)
            self.note_expiry(cluster, receiver, started, _HOLD)
            await self._release(cluster, receiver)

    async def take_over(self) -> None:
        """Take a cluster over from any person for another one, as an admin."""
        held = await self.list_clusters(state="held")
        if not held:
            return
        cluster, person, started = self.random.choice(held)["name"], self._named(), time.monotonic()
        terms: dict[str, Any] = {"name": ADMIN, "to": person, "force": "true", "reason": "urgent", "expect": "held"}
        answer = await self.ask("/holdcluster", cluster=cluster, duration=f"{_HOLD}s", **terms)
        if answer is not None and answer.status == 200:
            self.note("take over", cluster, person, started, answer)
            self.note_expiry(cluster, person, started, _HOLD)
            await self._release(cluster, person)

    async def hold_when_free(self) -> None:
        """Wait in the queue without a connection, and release the cluster once it is held; or give the place up."""
        person, started = self._named(), time.monotonic()
        self.observed.waits[person] = Wait(started, _LONG_HOLD)
        answer = await self.ask(
            "/holdcluster",
            cluster="any",
            name=person,
            wait="5m",
            duration=f"{_LONG_HOLD}s",
            accept="application/json",
        )
        if answer is None or answer.status not in (200, 202):
            return
        facts = answer.json()
        if answer.status == 200:
            if "cimaster-repeated" not in answer.headers:
                del self.observed.waits[person]
                self.note("take", facts["name"], person, started, answer)
                self.note_expiry(facts["name"], person, started, _LONG_HOLD)
            await self._release(facts["name"], person)
            return
        if cluster := await self._until_held(person, facts["ticket"]):
            await self._release(cluster, person)

    async def _until_held(self, person: str, ticket: str) -> str:
        """Return the cluster that a person holds once it is their turn; empty if they gave up, or have lost it."""
        gives_up = time.monotonic() + _LONGEST_WAIT
        while self.goes_on() and time.monotonic() < gives_up:
            if held := await self.list_clusters(holder=person):
                return str(held[0]["name"])
            await asyncio.sleep(0.5)
        left = await self.answer(f"/leavequeue?request_id={ticket}")
        held = await self.list_clusters(holder=person, after=left.headers["cimaster-commit"]) if left else []
        return str(held[0]["name"]) if held else ""

    async def change_health(self) -> None:
        """Bring all quarantined clusters back, and quarantine another one for a moment, as an admin."""
        for record in await self.list_clusters(state="quarantined"):
            await self._set_health(record["name"], "ok")
        records = await self.list_clusters()
        if records:
            cluster = self.random.choice(records)["name"]
            await self._set_health(cluster, "quarantined")
            await asyncio.sleep(1.0)
            await self._set_health(cluster, "ok")

    async def _set_health(self, cluster: str, health: str) -> None:
        await self.ask("/healthcluster", cluster=cluster, name=ADMIN, health=health)
