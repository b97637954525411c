"""The finish of a legacy script, which names no lease; it must mean the same lease each time it is decided."""

from datetime import datetime

from cimaster import pool as decide
from cimaster.pool import Answer, Caller, FinishRequest, Pool
from cimaster.pool.records.ended_lease import EndedLease
from cimaster.pool.records.lease import Lease


class UnfencedFinish:
    """A decision that ends the lease that it finds when it is first made."""

    def __init__(self, finish: FinishRequest, caller: Caller) -> None:
        self._finish, self._caller = finish, caller
        self._seen: list[Lease | EndedLease | None] = []

    def __call__(self, pool: Pool, now: datetime) -> tuple[Pool, Answer]:
        """Decide; if it is decided again, it still means the lease of the first time."""
        if not self._seen:
            self._seen.append(decide.lease_of_unfenced_finish(pool.find(self._finish.cluster)))
        return decide.finish(pool, now, self._finish, self._seen, self._caller)
