"""The pool: clusters, history, remembered requests, creations, policies and queue, as one immutable value."""

import bisect
import dataclasses
import difflib
import itertools
import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from cimaster.common.texts import brief, printable
from cimaster.errors import ClusterBroken, Refusal, UnknownCluster
from cimaster.pool.records.archive_claim import ArchiveClaim
from cimaster.pool.records.cluster import BROKEN, DEFAULT_PURPOSE, EARLIEST, STATES, VACANT, Cluster
from cimaster.pool.records.creation import Creation
from cimaster.pool.records.field_types import checked
from cimaster.pool.records.history import Entry, History, numbered
from cimaster.pool.records.lease import Hold
from cimaster.pool.records.outbox import Outbox
from cimaster.pool.records.policy import Policy
from cimaster.pool.records.purpose import NO_RULES, PurposeRules
from cimaster.pool.records.queue import EMPTY, Queue
from cimaster.pool.records.remembered_request import RememberedRequest

_POSITION = re.compile(r"#([0-9]{1,6})(?:\.([0-9a-f]{8}))?")


@dataclass(frozen=True)
class Rules:
    """The settings that decisions need: durations, and limits of which 0 means none."""

    hold: timedelta = timedelta(hours=6)
    max_hold: timedelta = timedelta(hours=72)
    overdue_after: timedelta = timedelta(hours=8)
    creation: timedelta = timedelta(hours=2)
    quarantine_after: int = 3
    max_per_job: int = 0
    max_per_person: int = 0


@dataclass(frozen=True)
class Answer:
    """The answer of a decision to its caller; `repeated` if the same request was carried out before.

    With `refusal` the caller is refused, but the change is still written. `waited` is in seconds. With `place` the
    caller waits in the queue, with this `ticket`. `ended_hold` is the hold that a release ended.
    """

    text: str
    cluster: Cluster | None = None
    lease: str = ""
    repeated: bool = False
    refusal: Refusal | None = None
    waited: float = 0.0
    place: int = 0
    ticket: str = ""
    ended_hold: Hold | None = None


@dataclass(frozen=True)
class Pool:
    """Everything that a decision may read and change. `commit` is the number of the newest applied change.

    `history` has the changes that are not archived yet, oldest first; `recent` those of the last hour that are, as far
    as this process saw them.
    """

    clusters: tuple[Cluster, ...] = ()
    history: History = ()
    recent: History = ()
    archive: ArchiveClaim = ArchiveClaim()
    requests: Mapping[str, RememberedRequest] = field(default_factory=dict)
    creations: tuple[Creation, ...] = ()  # oldest first
    policies: tuple[Policy, ...] = ()
    purpose_rules: tuple[PurposeRules, ...] = ()
    queue: Queue = EMPTY  # in order of arrival
    outbox: Outbox = Outbox()
    commit: int = 0
    rules: Rules = Rules()
    other_keys: Mapping[str, str] = field(default_factory=dict)  # unknown keys of the object
    head: str = "["
    tail: str = "]"
    positions: Mapping[str, int] = field(default_factory=dict)
    vacant: tuple[Cluster, ...] = ()  # longest vacant first
    due: datetime | None = None  # when something expires next; possibly too early, never too late

    @property
    def next_commit(self) -> int:
        """The commit number of the change that is being decided."""
        return self.commit + 1

    def unarchived(self, archived: int = -1) -> list[tuple[int, Entry]]:
        """Return the changes after commit `archived` that are not archived yet, with the numbers of their commits."""
        return [pair for pair in numbered(self.history, self.commit) if pair[0] > archived]

    def counts(self) -> dict[str, int]:
        """Return the number of clusters in each state, including zeros."""
        seen = Counter(cluster.state for cluster in self.clusters)
        return {state: seen[state] for state in STATES}

    def purposes(self) -> list[str]:
        """Return the purposes of clusters, creations, policies and rules, including the default one."""
        of_clusters = {cluster.purpose for cluster in self.clusters if not cluster.fault}
        of_creations = {creation.purpose for creation in self.creations if not creation.fault}
        of_policies = {policy.purpose for policy in self.policies if not policy.fault}
        of_rules = {rules.purpose for rules in self.purpose_rules if not rules.fault}
        return sorted({DEFAULT_PURPOSE} | of_clusters | of_creations | of_policies | of_rules)

    def rules_for(self, purpose: str) -> PurposeRules:
        """Return the rules for the clusters of a purpose; without any, nothing is checked or cleaned."""
        return next((r for r in self.purpose_rules if not r.fault and r.purpose == purpose), NO_RULES)

    def reference(self, cluster: Cluster) -> str:
        """Return the name of a cluster; for a broken record its position and digest, such as `#3.1a2b3c4d`."""
        return f"#{self.clusters.index(cluster)}.{cluster.digest}" if cluster.state == BROKEN else cluster.name

    def find(self, name: str) -> Cluster:
        """Return a cluster by name; UnknownCluster or ClusterBroken if no usable record has it."""
        if name in self.positions:
            return self.clusters[self.positions[name]]
        records = self.records_named(name)
        if not records:
            near = difflib.get_close_matches(name, self.positions, n=1)
            meant = f" (did you mean {near[0]}?)" if near else ""
            raise UnknownCluster(f"cluster {brief(name)} is not known{meant}; /clusters lists them", cluster=name)
        found = records[0]
        if found.state == BROKEN:
            raise ClusterBroken(
                f"the record of cluster {brief(name)} is broken ({found.fault}): "
                f"an admin can delete it as {self.reference(found)}",
                cluster=name,
            )
        return found

    def records_named(self, name: str) -> list[Cluster]:
        """Return the records with that name, broken ones included; stored names may have surrounding spaces."""
        wanted = printable(name)
        return [c for c in self.clusters if c.name_as_written and printable(c.name_as_written) == wanted]

    def knows(self, reference: str) -> bool:
        """Say whether `find_any` may find a record: it searches for similar names otherwise, which takes 30 ms."""
        is_position = _POSITION.fullmatch(reference) is not None
        return is_position or reference in self.positions or bool(self.records_named(reference))

    def find_any(self, reference: str) -> Cluster:
        """Return a cluster by name, or a broken record by position and digest, such as `#3.1a2b3c4d`."""
        match = _POSITION.fullmatch(reference)
        if not match or reference in self.positions:
            return self.find(reference)
        position, digest = int(match[1]), match[2]
        broken = self.clusters[position] if position < len(self.clusters) else None
        if broken is None or broken.state != BROKEN or digest not in (None, broken.digest):
            raise UnknownCluster(
                f"there is no such broken record at position {position}: /clusters lists the broken records",
                cluster=reference,
            )
        if digest is None:
            raise ClusterBroken(
                f"{reference} is only a position, which may change: name the record as {self.reference(broken)}",
                cluster=reference,
            )
        return broken

    def changed(
        self, old: Cluster | None, new: Cluster | None, event: str, now: datetime, by: str = "", **facts: str
    ) -> "Pool":
        """Return the pool with a record replaced, added (old is None) or removed (new is None), and its history."""
        subject = new or old
        assert subject is not None
        entry = Entry.of(
            event,
            subject.name or subject.digest,
            now,
            self.next_commit,
            **{"from": old.state if old else "", "to": new.state if new else ""},
            by=by,
            **facts,
        )
        return self.with_record(old, new, (*self.history, entry))

    def with_record(self, old: Cluster | None, new: Cluster | None, history: History) -> "Pool":
        """Return the pool with a record replaced, added or removed, and with this history."""
        if old is not None and new is not None:
            at = self.positions[old.name]
            clusters = (*self.clusters[:at], new, *self.clusters[at + 1 :])
            due = min((end for end in (self.due, new.due) if end), default=None)
            vacant = self._vacant_with(old, new) if VACANT in (old.state, new.state) else self.vacant
            return dataclasses.replace(self, clusters=clusters, history=history, due=due, vacant=vacant)
        if new is not None:
            return self.with_clusters((*self.clusters, new), history)
        return self.with_clusters(tuple(cluster for cluster in self.clusters if cluster is not old), history)

    def _vacant_with(self, old: Cluster, new: Cluster) -> tuple[Cluster, ...]:
        """Return the vacant clusters after a change; ties are broken by list order."""
        vacant = [cluster for cluster in self.vacant if cluster is not old]
        if new.state == VACANT:
            bisect.insort(vacant, new, key=lambda cluster: (_idle_since(cluster), self.positions[cluster.name]))
        return tuple(vacant)

    def with_clusters(self, clusters: tuple[Cluster, ...], history: History) -> "Pool":
        """Return the pool with other clusters; records that share a name are all broken."""
        clusters = _mark_duplicates(clusters)
        return dataclasses.replace(
            self,
            clusters=clusters,
            history=history,
            positions={cluster.name: place for place, cluster in enumerate(clusters) if cluster.state != BROKEN},
            due=earliest_end(clusters, self.creations, self.queue),
            vacant=tuple(sorted((c for c in clusters if c.state == VACANT), key=_idle_since)),
        )

    def with_creations(self, creations: tuple[Creation, ...]) -> "Pool":
        """Return the pool with other creations."""
        return dataclasses.replace(self, creations=creations, due=earliest_end(self.clusters, creations, self.queue))

    def entries_of(self, commit: int) -> list[Entry]:
        """Return the history entries that one commit wrote."""
        return list(itertools.takewhile(lambda entry: entry.fields.get("commit") == commit, reversed(self.history)))

    def remember(self, request: RememberedRequest) -> "Pool":
        """Return the pool with a request that was carried out."""
        checked({name: getattr(request, name) for name in ("verb", "cluster", "say")})
        return dataclasses.replace(self, requests={**self.requests, request.key: request})


def earliest_end(clusters: tuple[Cluster, ...], creations: tuple[Creation, ...], queue: Queue) -> datetime | None:
    """Return the earliest time at which one of them expires."""
    ends = (*(c.due for c in clusters), *(c.due for c in creations), *(ticket.dropped_at for ticket in queue))
    return min((end for end in ends if end), default=None)


def _mark_duplicates(clusters: tuple[Cluster, ...]) -> tuple[Cluster, ...]:
    """Return the clusters, with those that share a name marked as broken."""
    names = [printable(cluster.name_as_written or "") for cluster in clusters]
    if len(set(names)) == len(names) and not any(cluster.is_duplicate for cluster in clusters):
        return clusters
    seen = Counter(names)
    seen[""] = 0
    return tuple(cluster.as_duplicate(seen[name] > 1) for cluster, name in zip(clusters, names, strict=True))


def _idle_since(cluster: Cluster) -> datetime:
    return cluster.vacant_since or EARLIEST
