"""The lease, the hold and the ended leases of a cluster."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from cimaster.common.times import format_time
from cimaster.pool.records.record import Fields

LEASE_FIELDS = (
    "leaseId",
    "leaseJob",
    "leaseBuild",
    "requestId",
    "requestHash",
    "leaseOwner",
    "acquiredAt",
    "leaseExpires",
    "leaseTtl",
)
HOLD_FIELDS = ("holdBy", "holdDesc", "heldAt", "holdExpires", "holdFor")


@dataclass(frozen=True)
class Lease:
    """The lease of the job that has a cluster. An old-style lease (status `testing`, no `leaseId`) has the empty id."""

    id: str
    job: str
    build: str
    by: str
    request: str = ""
    request_hash: str = ""
    acquired: datetime | None = None
    expires: datetime | None = None
    ttl: timedelta | None = None
    owner: str = ""


@dataclass(frozen=True)
class Hold:
    """The hold of a person, and its reason. `expires` is None while the hold waits for a job to finish.

    `lasts` is its duration.
    """

    by: str
    desc: str
    since: datetime | None
    expires: datetime | None
    lasts: timedelta | None


@dataclass(frozen=True)
class EndedLease:
    """A lease that is over, remembered for late callers; `how` is finished, expired or undone.

    `by` is how the finish identified it: `job`, `build` or `job build`; empty for the lease id or nothing.
    """

    id: str
    request: str
    job: str
    build: str
    how: str
    at: datetime | None = None
    by: str = ""

    @classmethod
    def read(cls, entry: Fields) -> "EndedLease":
        """Read an entry of a record."""
        ids = entry.get_id("id"), entry.get_id("request")
        return cls(
            *ids,
            entry.get_text("job"),
            entry.get_text("build"),
            entry.get_text("how"),
            entry.get_time("at"),
            entry.get_text("by"),
        )

    def written(self) -> dict[str, Any]:
        """Return the entry as it is stored."""
        entry = {
            "id": self.id,
            "request": self.request,
            "job": self.job,
            "build": self.build,
            "how": self.how,
            "at": format_time(self.at) if self.at else "",
            "by": self.by,
        }
        return {key: value for key, value in entry.items() if value}
