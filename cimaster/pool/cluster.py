"""One cluster: a record of the stored array, what it means, and how it changes without losing what we do not know."""

import hashlib
from datetime import UTC, datetime
from functools import cached_property
from typing import Any

from cimaster.pool import jsontext, record
from cimaster.pool.lease import HOLD_FIELDS, LEASE_FIELDS, EndedLease, Hold, Lease
from cimaster.texts import printable
from cimaster.times import parse_duration, parse_time

VACANT, OCCUPIED, HELD, DISABLED, BROKEN = "vacant", "occupied", "held", "disabled", "broken"
STATES = (BROKEN, OCCUPIED, DISABLED, HELD, VACANT)
DEFAULT_PURPOSE = "tess-ci"
IMAGE_PURPOSE = "tnet-ci"  # of this purpose the image must be asked for by name

EARLIEST = datetime.min.replace(tzinfo=UTC)


class Cluster:
    """An immutable record. `fields` is its parsed content; `text` its JSON, byte for byte as stored unless changed.

    `name_as_written` is the name also where the record is broken; None if there is none.
    `region`, `purpose` (with its default) and `osimage` are what jobs may ask for; `vacant_since` is None for
    data of the first service.
    """

    def __init__(self, text: str | jsontext.ObjectText, fields: Any, gap: str = "", twin: bool = False) -> None:
        self.gap = gap
        self.twin = twin
        self._text = text if isinstance(text, str) else None
        self._object = None if isinstance(text, str) else text
        self.fault = record.fault(fields) or ("another record has the same name" if twin else "")
        self.fields: dict[str, Any] = record.speakable(fields, text) if isinstance(text, str) else fields
        name = self.fields.get("name")
        self.name_as_written: str | None = name if isinstance(name, str) and name else None
        self.name: str = "" if self.fault else self.fields["name"]
        self.state = self._state()
        # plain attributes, because every take looks at them in every record; as callers can say them
        self.region = printable(self._say("region"))
        self.purpose = printable(self._say("purpose")) or DEFAULT_PURPOSE
        self.osimage = printable(self._say("osimage"))
        self.vacant_since = parse_time(self.fields.get("vacantSince"))
        self._size = 0

    @classmethod
    def new(cls, fields: dict[str, Any]) -> "Cluster":
        """Make a record that was not in the data before."""
        return cls(jsontext.dump(fields), fields)

    def as_twin(self, twin: bool) -> "Cluster":
        """Return the record as one of two with the same name (both broken), or as one with a name of its own."""
        return self if twin == self.twin else Cluster(self.text, self.fields, self.gap, twin)

    def spaced(self, gap: str) -> "Cluster":
        """Return the record as it stands after another gap."""
        return Cluster(self.text, self.fields, gap, self.twin)

    @property
    def text(self) -> str:
        """The record's JSON."""
        if self._text is None:
            self._text = str(self._object)
        return self._text

    @property
    def size(self) -> int:
        """Bytes that the record takes in the stored object, the separator included."""
        if not self._size:
            self._size = len(self.text.encode("utf-8", "surrogatepass")) + len(self.gap or ", ")
        return self._size

    @cached_property
    def digest(self) -> str:
        """Eight hex digits that tell this very content from any other, to name a broken record safely."""
        return hashlib.sha256(self.text.encode("utf-8", "surrogatepass")).hexdigest()[:8]

    def described(self, **more: Any) -> str:
        """Return JSON of the record as stored, with the state that it adds up to and `more` members."""
        told = {"state": self.state, "fault": self.fault or None, "leaseOwner": None, **more}
        if self.fields:
            return str(self._taken_apart().edited(told))
        return jsontext.dump({"record": self.text, **told})

    def _state(self) -> str:
        if self.fault:
            return BROKEN
        if self.fields["status"] == "testing":
            return OCCUPIED
        if self.disabled:
            return DISABLED
        return HELD if self.held else VACANT

    def edited(self, **edits: Any) -> "Cluster":
        """Return the record with some fields changed; None leaves a field out."""
        fields = {
            key: value for key, value in {**self.fields, **edits}.items() if key not in edits or value is not None
        }
        return Cluster(self._taken_apart().edited(edits), fields, self.gap)

    def _taken_apart(self) -> jsontext.ObjectText:
        if self._object is None:
            self._object = jsontext.ObjectText.parse(self.text)
        return self._object

    def _say(self, key: str) -> str:
        value = self.fields.get(key)
        return value if isinstance(value, str) else ""

    @property
    def note(self) -> str:
        """What admins want people to know of it."""
        return self._say("note")

    @property
    def held(self) -> bool:
        """Whether a hold lies on the cluster, whatever its status."""
        return self.fields.get("hold") is True

    @property
    def disabled(self) -> bool:
        """Whether the cluster is taken out of lending, whatever its status."""
        return self.fields.get("disabled") is True

    @property
    def disabled_by(self) -> str:
        """Who disabled it."""
        return self._say("disabledBy") if self.disabled else ""

    @property
    def disabled_reason(self) -> str:
        """Why it was disabled."""
        return self._say("disabledReason") if self.disabled else ""

    @property
    def last_job(self) -> str:
        """The job that has it or had it last."""
        return self._say("lastJob")

    @property
    def last_build(self) -> str:
        """The build that has it or had it last."""
        return self._say("lastBuild")

    @property
    def last_trigger_name(self) -> str:
        """Who triggered the job that has it or had it last."""
        return self._say("lastTriggerName")

    @cached_property
    def labels(self) -> dict[str, str]:
        """The labels that jobs may ask for."""
        labels = self.fields.get("labels")
        return {k: v for k, v in labels.items() if isinstance(v, str)} if isinstance(labels, dict) else {}

    @property
    def _lease_is_ours(self) -> bool:
        """Lease fields count only for the job and build that they name: somebody may have edited by hand."""
        return (
            bool(self._say("acquiredAt"))
            and self._say("leaseJob") == self.last_job
            and self._say("leaseBuild") == self.last_build
        )

    @cached_property
    def lease(self) -> Lease | None:
        """The lease of an occupied cluster; None if no job has it."""
        if self.fault or self.fields["status"] != "testing":
            return None
        who = (self.last_job, self.last_build, self.last_trigger_name)
        if not self._lease_is_ours:
            return Lease("", *who)
        return Lease(
            self._say("leaseId"), *who, self._say("requestId"), self._say("requestHash"),
            parse_time(self.fields["acquiredAt"]), parse_time(self.fields.get("leaseExpires")),
            parse_duration(self.fields.get("leaseTtl")), self._say("leaseOwner"),
        )  # fmt: skip

    @cached_property
    def hold(self) -> Hold | None:
        """The hold that lies on the cluster; None if there is none."""
        if self.fault or not self.held:
            return None
        since, expires = parse_time(self.fields.get("heldAt")), parse_time(self.fields.get("holdExpires"))
        return Hold(
            self._say("holdBy"), self._say("holdDesc"), since, expires, parse_duration(self.fields.get("holdFor"))
        )

    @cached_property
    def ended_leases(self) -> tuple[EndedLease, ...]:
        """The last leases that ended, newest first."""
        entries = self.fields.get("endedLeases")
        keys = ("id", "request", "job", "build", "how")
        if not isinstance(entries, list):
            return ()
        return tuple(
            EndedLease(*(str(entry.get(key, "")) for key in keys)) for entry in entries if isinstance(entry, dict)
        )

    @cached_property
    def due(self) -> datetime | None:
        """When time itself must change the record: a lease or hold ends then; the beginning of time if it is untidy."""
        if self.fault:
            return None
        if self._untidy():
            return EARLIEST
        ends = [end for end in (self.lease and self.lease.expires, self.hold and self.hold.expires) if end]
        return min(ends, default=None)

    def _untidy(self) -> bool:
        """Old-style leases and holds have no times yet; edits by hand may leave our fields behind."""
        if self.lease is None and not self.fields.keys().isdisjoint(LEASE_FIELDS):
            return True
        if self.hold is None and not self.fields.keys().isdisjoint(HOLD_FIELDS):
            return True
        return self.lease_is_bare or self.hold_is_bare

    @property
    def lease_is_bare(self) -> bool:
        """Whether a job has the cluster and nobody wrote since when."""
        return self.lease is not None and self.lease.acquired is None

    @property
    def hold_is_bare(self) -> bool:
        """Whether somebody holds the cluster and nobody wrote since when, or until when."""
        hold = self.hold
        return hold is not None and (hold.since is None or (hold.expires is None and self.lease is None))
