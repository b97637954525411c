"""The lease and the hold of a cluster."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from cimaster.common.texts import printable, same_person
from cimaster.pool.records.owners import scoped
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
    "holdOnFailure",
)
LONGEST_PERSON = 63  # characters of a holder's name
UNKNOWN_USER = "an unknown user"  # in sentences about a hold without a stored name
HOLD_FIELDS = ("holdBy", "holdDesc", "holdWith", "heldAt", "holdExpires", "holdFor")


@dataclass(frozen=True)
class Lease:
    """The lease of the job that has a cluster. An old-style lease (status `testing`, no `leaseId`) has the empty id.

    `request` is the id of the take within the process, with its owner.
    """

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
    hold_on_failure: timedelta | None = None

    @classmethod
    def read(cls, record: Fields, is_current: bool) -> "Lease":
        """Read the lease of an occupied cluster; unless `is_current`, its fields belong to an earlier job."""
        job = record.get_text("lastJob"), record.get_text("lastBuild"), record.get_text("lastTriggerName")
        if not is_current:
            return cls("", *job)
        owner = record.get_text("leaseOwner")
        return cls(
            record.get_id("leaseId"),
            *job,
            scoped(record.get_id("requestId"), owner),
            record.get_text("requestHash"),
            record.get_time("acquiredAt"),
            record.get_time("leaseExpires"),
            record.get_duration("leaseTtl"),
            owner,
            record.get_duration("holdOnFailure"),
        )


def read_names(stored: object) -> tuple[str, ...]:
    """Return the names of people in a stored list; other values are ignored."""
    return tuple(printable(name) for name in stored if isinstance(name, str)) if isinstance(stored, list) else ()


@dataclass(frozen=True)
class Hold:
    """The hold of a person, and its reason. `expires` is None while the hold waits for a job to finish.

    `lasts` is its duration; the people that it is `shared_with` may extend and release it too.
    """

    by: str
    desc: str
    since: datetime | None
    expires: datetime | None
    lasts: timedelta | None
    shared_with: tuple[str, ...] = ()

    @classmethod
    def read(cls, record: Fields) -> "Hold":
        """Read the hold of a held cluster."""
        return cls(
            printable(record.get_text("holdBy")),
            record.get_text("holdDesc"),
            record.get_time("heldAt"),
            record.get_time("holdExpires"),
            record.get_duration("holdFor"),
            read_names(record.fields.get("holdWith")),
        )

    @property
    def holder(self) -> str:
        """The holder for sentences; `an unknown user` if none is stored."""
        return self.by or UNKNOWN_USER

    def is_of(self, person: str) -> bool:
        """Say whether a person holds the cluster, ignoring case."""
        return same_person(self.by, person)

    def may_be_changed_by(self, person: str) -> bool:
        """Say whether a person may extend and release it: its holder, and those that it is shared with."""
        return any(same_person(name, person) for name in (self.by, *self.shared_with))
