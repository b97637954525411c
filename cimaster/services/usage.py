"""Answer questions about usage from the sums of the archive, the changes after them, and what runs now."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from cimaster.common.parsers import Price
from cimaster.errors import BadParameter
from cimaster.pool import Pool
from cimaster.pool.decisions import archiving
from cimaster.pool.records.cluster import Cluster
from cimaster.pool.usage import report
from cimaster.pool.usage.figures import Figures
from cimaster.pool.usage.fold import UsageFold
from cimaster.pool.usage.report import BREAKDOWNS, GroupFilter, Row, Span
from cimaster.pool.usage.sums import HOUR, EndedHold, Sums
from cimaster.repository.configmap_repository import ConfigMapRepository
from cimaster.repository.history_slot import Slot
from cimaster.repository.snapshots import Snapshot
from cimaster.services import usage_sums

PERSON = "person"
_LISTED_HOLDS = 20


@dataclass(frozen=True)
class Question:
    """What the caller wants to know: the span, how to break it down, and about which clusters."""

    by: str = "day"
    since: datetime | None = None
    until: datetime | None = None
    wanted: GroupFilter = GroupFilter()


@dataclass(frozen=True)
class UsageReport:
    """The answer: a row for each part of the breakdown, and their sum.

    `holds` are the longest ones, also those that go on `now`, which is in seconds since 1970. `costs` has what the time
    of each cluster costs, by its name; empty without prices. `trouble` says why some of the archive cannot be read.
    """

    by: str
    span: Span
    rows: list[Row]
    total: Figures
    holds: list[EndedHold]
    costs: dict[str, float]
    now: int
    trouble: str = ""

    def ended(self, hold: EndedHold) -> datetime | None:
        """Return when a hold ended; None if it goes on."""
        return report.moment(hold.end) if hold.end < self.now else None

    @property
    def takes_per_hour(self) -> float:
        """How many clusters jobs took per hour."""
        return self.total.takes / self.span.hours


class Usage:
    """What the clusters were used for. Without `names`, no people are told."""

    def __init__(self, repository: ConfigMapRepository, names: bool, prices: Iterable[Price]) -> None:
        self.names = names
        self._repository, self._ring, self._prices = repository, repository.history_ring, tuple(prices)

    def report(self, snapshot: Snapshot, question: Question) -> UsageReport:
        """Answer a question; BadParameter if it is about people and their names are left out."""
        if question.by == PERSON and not self.names:
            sentence = "names of people are left out of usage here: ask by another one, such as by=job"
            raise BadParameter(sentence, parameter="by")
        unit, now = BREAKDOWNS[question.by].rounded, self._repository.now()
        archive = snapshot.pool.archive
        slots = self._ring.slots(archive.through, archive.edition)
        folds = [*map(usage_sums.folded, slots), _unarchived(snapshot.pool, slots, int(now.timestamp()))]
        span = Span.between(question.since, question.until, now, unit)
        if slots:
            span = span.known_from(usage_sums.folded(slots[-1]).complete_since, unit)
        parts = [fold.sums for fold in folds]
        found = report.rows(parts, question.by, span, question.wanted)
        return UsageReport(
            by=question.by,
            span=span,
            rows=found,
            total=report.total(found),
            holds=self._holds(parts, span, question.wanted),
            costs=self._costs(snapshot.pool, parts, span, question.wanted),
            now=int(now.timestamp()),
            trouble=self._ring.situation,
        )

    def _holds(self, parts: list[Sums], span: Span, wanted: GroupFilter) -> list[EndedHold]:
        found = report.holds(parts, span, wanted, _LISTED_HOLDS)
        return found if self.names else [hold._replace(holder="") for hold in found]

    def _costs(self, pool: Pool, parts: list[Sums], span: Span, wanted: GroupFilter) -> dict[str, float]:
        """Return what each cluster with a price cost in the days of a span, whether or not it was in use."""
        if not self._prices:
            return {}
        prices = {cluster.name: self._price(cluster) for cluster in pool.clusters if not cluster.fault}
        found = report.rows(parts, "cluster", span, wanted)
        hours = {row.label: row.figures.total / HOUR for row in found}
        return {name: hours[name] * price for name in hours if (price := prices.get(name)) is not None}

    def _price(self, cluster: Cluster) -> float | None:
        return next((p.per_hour for p in self._prices if cluster.labels.get(p.key) == p.value), None)


def _unarchived(pool: Pool, slots: list[Slot], now: int) -> UsageFold:
    """Return the sums over the changes that the archive does not have, and over what goes on until now."""
    fold = usage_sums.folded(slots[0]).carried() if slots else UsageFold()
    archived = slots[0].last if slots else -1
    for _, entry in pool.unarchived(archived):
        fold.add(archiving.described(entry, pool))
    present = [cluster for cluster in pool.clusters if not cluster.fault]
    return fold.until(now, present)
