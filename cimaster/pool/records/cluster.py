"""One cluster: its stored record, what the record means, and edits that keep all unknown fields."""

from datetime import UTC, datetime
from functools import cached_property
from typing import Any

from cimaster.common.texts import printable
from cimaster.pool.records import faults, json_edit, remembered
from cimaster.pool.records.field_types import checked
from cimaster.pool.records.health import CHECK, CLEAN, HEALTH_TIMES, QUARANTINED, Health
from cimaster.pool.records.json_values import dump
from cimaster.pool.records.lease import HOLD_FIELDS, LEASE_FIELDS, Hold, Lease
from cimaster.pool.records.owners import Caller, is_verified
from cimaster.pool.records.record import BROKEN as BROKEN
from cimaster.pool.records.remembered import RecordWithMemory

VACANT, OCCUPIED, HELD, DISABLED, CHECKING = "vacant", "occupied", "held", "disabled", "checking"
STATES = (BROKEN, OCCUPIED, QUARANTINED, DISABLED, HELD, CHECKING, VACANT)  # of those that apply, the first counts
DEFAULT_PURPOSE = "tess-ci"
IMAGE_PURPOSE = "tnet-ci"  # jobs must name the image of clusters of this purpose

_LEASE_IDS = ("leaseId", "requestId", "requestHash")
EARLIEST = datetime.min.replace(tzinfo=UTC)


class Cluster(RecordWithMemory):
    """An immutable record of a cluster.

    `name_as_written` is the name even if the record is broken; None if the record has no name.
    `region`, `purpose` (with its default) and `osimage` are what jobs select by; `vacant_since` is None in data of
    the first service.
    """

    def __init__(
        self, text: str | json_edit.ObjectText, fields: Any, gap: str = "", is_duplicate: bool = False, fault: str = ""
    ) -> None:
        super().__init__(fields if isinstance(fields, dict) else {}, text)
        self.gap = gap
        self.is_duplicate = is_duplicate
        self._own_fault = fault or faults.of_cluster(fields)
        self.fault = self._own_fault or ("another record has the same name" if is_duplicate else "")
        self.name_as_written: str | None = self.get_text("name") or None
        self.name: str = "" if self.fault else self.fields["name"]
        self.state = self._state()
        # plain attributes, because every take reads them in every record; printable, like what callers send
        self.region = printable(self.get_text("region"))
        self.purpose = printable(self.get_text("purpose")) or DEFAULT_PURPOSE
        self.osimage = printable(self.get_text("osimage"))
        self.vacant_since = self.get_time("vacantSince")
        self._size = 0

    @classmethod
    def new(cls, fields: dict[str, Any]) -> "Cluster":
        """Make a new record."""
        return cls(dump(checked(fields)), fields)

    def as_duplicate(self, is_duplicate: bool) -> "Cluster":
        """Return the record marked as a duplicate (records that share a name are broken), or as unique."""
        if is_duplicate == self.is_duplicate:
            return self
        return Cluster(self.text, self.fields, self.gap, is_duplicate, self._own_fault)

    def with_gap(self, gap: str) -> "Cluster":
        """Return the record with another gap: the text between it and the record before it."""
        return Cluster(self.text, self.fields, gap, self.is_duplicate, self._own_fault)

    def as_broken(self, fault: str) -> "Cluster":
        """Return the record marked as broken, with this fault."""
        return Cluster(self.text, self.fields, self.gap, self.is_duplicate, fault)

    @property
    def size(self) -> int:
        """The record's bytes in the stored object, including the separator."""
        if not self._size:
            self._size = len(self.text.encode("utf-8", "surrogatepass")) + len(self.gap or ", ")
        return self._size

    def described(self, caller: Caller, **more: Any) -> str:
        """Return the record as JSON for a caller: as stored, with its state and `more` members.

        Ids are left out unless the caller sees them, and so is the content of a broken record, which may have some.
        """
        if self.fault and not caller.sees_all:
            return dump({"name": self.name_as_written or "", "state": self.state, "fault": self.fault, **more})
        added = {"state": self.state, "fault": self.fault or None, "leaseOwner": None, "checkBy": None, **more}
        added |= remembered.described(self.fields, self.ended_leases, self.results)
        owner = self.get_text("leaseOwner")
        if is_verified(owner) and caller.sees(owner):
            del added["leaseOwner"]
        if not caller.sees(owner):
            added |= dict.fromkeys(_LEASE_IDS)
        if not caller.sees_all:
            added |= remembered.without_ids(self.ended_leases)
        if self.fields:
            return str(self._parsed_object().edited(added))
        return dump({"record": self.text, **added})

    def _state(self) -> str:
        if self.fault:
            return BROKEN
        if self.fields["status"] == "testing":
            return OCCUPIED
        if self.fields.get("health") == QUARANTINED:
            return QUARANTINED
        if self.disabled:
            return DISABLED
        if self.held:
            return HELD
        return CHECKING if self.checking else VACANT

    def _replaced(self, fields: dict[str, Any], text: json_edit.ObjectText) -> "Cluster":
        return Cluster(text, fields, self.gap)

    @property
    def note(self) -> str:
        """The note of the admins."""
        return self.get_text("note")

    @property
    def held(self) -> bool:
        """Whether the cluster is held, regardless of its status."""
        return self.get_flag("hold")

    @property
    def disabled(self) -> bool:
        """Whether the cluster is disabled, regardless of its status."""
        return self.get_flag("disabled")

    @property
    def disabled_by(self) -> str:
        """The admin that disabled it."""
        return self.get_text("disabledBy") if self.disabled else ""

    @property
    def disabled_reason(self) -> str:
        """Why it was disabled."""
        return self.get_text("disabledReason") if self.disabled else ""

    @cached_property
    def health(self) -> Health:
        """The health of the cluster, regardless of its status."""
        return Health.read(self)

    @property
    def checking(self) -> str:
        """Whether it waits for a `clean` or a `check`, or one is running; empty if neither."""
        kind = self.get_text("checking")
        return kind if kind in (CLEAN, CHECK) else ""

    @property
    def check_claimed_by(self) -> str:
        """The replica that runs its check or clean."""
        return self.get_text("checkBy")

    @property
    def check_claimed_until(self) -> datetime | None:
        """The end of that replica's claim, after which another one may take over."""
        return self.get_time("checkUntil")

    @property
    def last_job(self) -> str:
        """The current or last job."""
        return self.get_text("lastJob")

    @property
    def last_build(self) -> str:
        """The build of the current or last job."""
        return self.get_text("lastBuild")

    @property
    def last_trigger_name(self) -> str:
        """The person or bot that triggered the current or last job."""
        return self.get_text("lastTriggerName")

    @cached_property
    def labels(self) -> dict[str, str]:
        """The labels that jobs may ask for."""
        labels = self.fields.get("labels")
        return {k: v for k, v in labels.items() if isinstance(v, str)} if isinstance(labels, dict) else {}

    @property
    def lease_is_current(self) -> bool:
        """Whether the lease fields belong to the current job and build; leases that CIMaster wrote name both.

        An end that was written by hand names neither, and counts for the current job.
        """
        job, build = self.fields.get("leaseJob"), self.fields.get("leaseBuild")
        return (job is None or job == self.last_job) and (build is None or build == self.last_build)

    @cached_property
    def lease(self) -> Lease | None:
        """The lease of an occupied cluster; None if no job has it."""
        if self.fault or self.fields["status"] != "testing":
            return None
        return Lease.read(self, self.lease_is_current)

    @cached_property
    def hold(self) -> Hold | None:
        """The hold of the cluster; None if it is not held."""
        if self.fault or not self.held:
            return None
        return Hold.read(self)

    @property
    def unreadable(self) -> tuple[str, ...]:
        """The times and durations of its lease, hold and health that have an unreadable value, which is ignored."""
        lease, hold = self.lease, self.hold
        read: dict[str, object] = {}
        if lease and self.lease_is_current:
            read |= {"acquiredAt": lease.acquired, "leaseExpires": lease.expires, "leaseTtl": lease.ttl}
            read["holdOnFailure"] = lease.hold_on_failure
        if hold:
            read |= {"heldAt": hold.since, "holdExpires": hold.expires, "holdFor": hold.lasts}
        of_use = tuple(key for key, value in read.items() if value is None and self.has(key)) if read else ()
        return of_use + self.unreadable_among(*HEALTH_TIMES)

    @cached_property
    def due(self) -> datetime | None:
        """When a lease or hold ends next, so that the record changes; EARLIEST if it must be normalized."""
        if self.fault:
            return None
        if self._needs_normalizing():
            return EARLIEST
        ends = [end for end in (self.lease and self.lease.expires, self.hold and self.hold.expires) if end]
        return min(ends, default=None)

    def _needs_normalizing(self) -> bool:
        """Say whether an old-style lease or hold lacks its times, or an edit by hand left our fields behind."""
        lease_is_stale = self.lease is None and not self.fields.keys().isdisjoint(LEASE_FIELDS)
        hold_is_stale = self.hold is None and not self.fields.keys().isdisjoint(HOLD_FIELDS)
        return lease_is_stale or hold_is_stale or self.lease_is_bare or self.hold_is_bare

    @property
    def lease_is_bare(self) -> bool:
        """Whether a job has the cluster but the record lacks the time since when."""
        return self.lease is not None and not (self.lease_is_current and self.has("acquiredAt"))

    @property
    def hold_is_bare(self) -> bool:
        """Whether a person holds the cluster but the record lacks the hold's start or end."""
        return self.hold is not None and (not self.has("heldAt") or (self.hold_has_no_end and self.lease is None))

    @property
    def hold_has_no_end(self) -> bool:
        """Whether the hold needs an end: none is stored, not even an unreadable one."""
        return not self.has("holdExpires") and not self.unreadable_among("holdFor")
