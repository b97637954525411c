"""Judges notices by what etcd stored: each recorded notice must have reached each of its receivers, under one key."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from itertools import pairwise
from types import MappingProxyType

from cimaster.pool import Pool
from cimaster.pool.records.notice import Notice
from tests.kube.stored_versions import StoredVersion, pools
from tests.notifiers.receiver import Delivery

Copy = tuple[str, str]  # a notice's id, and one of its destinations


class JudgedNotices:
    """The notices that were recorded, by id, and the `problems` of their delivery.

    `versions` are all versions of the pool's object, read after the moment `as_of` (monotonic); `mailboxes` are those
    of the destinations that send mails.
    """

    def __init__(
        self,
        versions: list[StoredVersion],
        deliveries: Sequence[Delivery],
        as_of: float,
        mailboxes: Mapping[str, str] = MappingProxyType({}),
    ) -> None:
        self.recorded: dict[str, Notice] = {}
        self.problems: list[str] = []
        self._mailboxes = mailboxes
        self._deliveries = defaultdict[Copy, list[Delivery]](list)
        for delivery in sorted(deliveries, key=lambda each: each.arrived):
            self._deliveries[delivery.id, delivery.destination].append(delivery)
        self._known: set[Copy] = set()
        self._pending: set[Copy] = set()
        for version, pool in pools(versions):
            self._follow(pool, version.seen_at)
        self.problems += [f"{copy} was never sent" for copy in self._pending]
        self._judge_deliveries(as_of)

    @property
    def repeats(self) -> list[tuple[Delivery, Delivery]]:
        """The deliveries that had a repeat, each with the next one of the same notice to the same destination."""
        return [pair for copies in self._deliveries.values() for pair in pairwise(copies)]

    def _follow(self, pool: Pool, seen_at: float) -> None:
        """Compare the outbox of one version with the version before it."""
        before = self._pending
        self.recorded |= {notice.id: notice for notice in pool.outbox.notices if notice.id not in self.recorded}
        self._pending = {(notice.id, self._address(to)) for notice in pool.outbox.notices for to in notice.destinations}
        again = (self._pending - before) & self._known
        self._known |= self._pending
        self.problems += [f"commit {pool.commit}: {copy} is recorded again" for copy in again]
        for copy in before - self._pending:
            deliveries = self._deliveries.get(copy, [])
            if not any(delivery.accepted < seen_at for delivery in deliveries):
                self.problems.append(f"commit {pool.commit}: {copy} left the outbox undelivered: {deliveries}")

    def _address(self, destination: str) -> str:
        return self._mailboxes.get(destination, destination)

    def _judge_deliveries(self, as_of: float) -> None:
        """Check that what was delivered had been recorded, and that repeats said the same."""
        for copy, deliveries in self._deliveries.items():
            if copy not in self._known and deliveries[0].accepted < as_of:
                self.problems.append(f"{copy} was sent, but never recorded")
            if any(delivery.content != deliveries[0].content for delivery in deliveries):
                self.problems.append(f"{copy} was sent with different contents: {deliveries}")
