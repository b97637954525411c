"""Usage recounted in another way than CIMaster counts it: look at each cluster minute by minute.

For changes at full minutes the result is exact.
"""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import pairwise

from cimaster.pool.records.history import GAP, Entry

MINUTE, HOUR, DAY = 60, 3600, 86_400
STATES = ("occupied", "held", "disabled", "quarantined", "checking", "vacant")
Place = tuple[str, str]


@dataclass
class Recount:
    """Seconds and counts, by period, purpose, region, name and what was counted; and the ended holds."""

    hours: Counter[tuple[int, Place, str, str]] = field(default_factory=Counter)
    clusters: Counter[tuple[int, Place, str, str]] = field(default_factory=Counter)
    jobs: Counter[tuple[int, Place, str, str]] = field(default_factory=Counter)
    people: Counter[tuple[int, Place, str, str]] = field(default_factory=Counter)
    holds: Counter[tuple[int, int, str, str]] = field(default_factory=Counter)


@dataclass(frozen=True)
class Moment:
    """What a cluster does from a time on."""

    second: int
    state: str
    place: Place
    job: str = ""
    trigger: str = ""
    holder: str = ""


def recount(entries: Sequence[Entry]) -> Recount:
    """Count the usage until the last change of each cluster."""
    counted = Recount()
    for start, changes in _segments(entries):
        for cluster in sorted({entry.cluster for entry in changes}):
            _count_cluster(counted, cluster, start, [entry for entry in changes if entry.cluster == cluster])
    return counted


def _segments(entries: Sequence[Entry]) -> Iterator[tuple[int, list[Entry]]]:
    """Yield the changes between two gaps, with the time from which all of them are known."""
    segment: list[Entry] = []
    start: int | None = None
    for entry in entries:
        start = _second(entry) if start is None else start
        if entry.event == GAP:
            since = entry.get_time("since")
            begin = int(since.timestamp()) if since else _second(entry)
            yield start, [*segment, *(_vanished(name, begin) for name in sorted({e.cluster for e in segment}))]
            segment, start = [], max(begin, _second(entry))
        else:
            segment.append(entry)
    yield start or 0, segment


def _vanished(cluster: str, second: int) -> Entry:
    return Entry({"cluster": cluster, "event": "vanished", "second": second})


def _second(entry: Entry) -> int:
    return int(entry.at.timestamp()) if entry.at else int(entry.fields["second"])


def _count_cluster(counted: Recount, cluster: str, start: int, changes: list[Entry]) -> None:
    moments = _moments(start, changes)
    for moment, following in pairwise(moments):
        for second in range(moment.second, following.second, MINUTE):
            _count_minute(counted, cluster, second, moment)
    for entry, moment in zip(changes, moments[1:], strict=True):
        _count_event(counted, cluster, entry, moment)
    _count_holds(counted, cluster, moments)


def _moments(start: int, changes: list[Entry]) -> list[Moment]:
    """Return what a cluster does from the beginning, and from each change on."""
    moments = [Moment(start, changes[0].get_text("from"), _place(changes[0], ("", "")))]
    for entry in changes:
        before = moments[-1]
        second = max(_second(entry), before.second)
        if entry.event == "vanished":
            return [*moments, Moment(second, "", before.place, holder=before.holder)]
        if not entry.get_text("from"):  # it was not there until now
            moments[-1] = Moment(before.second, "", before.place, holder=before.holder)
            before = Moment(before.second, "", before.place)
        moments.append(_next(before, entry, second))
    return moments


def _next(before: Moment, entry: Entry, second: int) -> Moment:
    state, holder = entry.get_text("to"), before.holder
    if entry.event in ("held", "taken over", "handed over", "held when free"):
        holder = entry.get_text("newHolder") or entry.by
    if entry.event == "imported":
        holder = entry.get_text("newHolder")
    if entry.event in ("released", "hold ended", "taken") or state in ("vacant", "checking", ""):
        holder = ""
    job, trigger = (entry.job, entry.by) if entry.event == "taken" else (before.job, before.trigger)
    if entry.event == "imported":
        job, trigger = entry.job, ""
    if state != "occupied" and entry.event != "taken":
        job = trigger = ""
    return Moment(second, state, _place(entry, before.place), job, trigger, holder)


def _place(entry: Entry, before: Place) -> Place:
    purpose = entry.get_text("purpose")
    return (purpose, entry.get_text("region")) if purpose else before


def _count_minute(counted: Recount, cluster: str, second: int, moment: Moment) -> None:
    if moment.state not in STATES:
        return
    job = moment.job if moment.state == "occupied" else ""
    person = moment.trigger if moment.state == "occupied" else moment.holder
    _tally(counted, second, moment.place, cluster, job, person, moment.state, MINUTE)


def _count_event(counted: Recount, cluster: str, entry: Entry, moment: Moment) -> None:
    kinds = []
    if entry.event == "taken":
        waited = entry.get_duration("waited")
        kinds += ["takes"] + ([f"waited {int(waited.total_seconds())}"] if waited else [])
    if entry.get_text("result") in ("fail", "error"):
        kinds.append("failures")
    if entry.event == "quarantined" and entry.get_text("from") != "quarantined":
        kinds.append("quarantines")
    job, person = ("", "") if "quarantines" in kinds else (entry.job, entry.by)
    for kind in kinds:
        _tally(counted, moment.second, moment.place, cluster, job, person, kind, 1)


def _tally(
    counted: Recount, second: int, place: Place, cluster: str, job: str, person: str, kind: str, amount: int
) -> None:
    counted.hours[second // HOUR, place, "", kind] += amount
    counted.clusters[second // DAY, place, cluster, kind] += amount
    if job:
        counted.jobs[second // DAY, place, job, kind] += amount
    if person:
        counted.people[second // DAY, place, person, kind] += amount


def _count_holds(counted: Recount, cluster: str, moments: list[Moment]) -> None:
    """Count each hold from when its holder has the cluster until it is another's."""
    begun: int | None = None
    for before, moment in pairwise(moments):
        is_lost = before.state == ""  # the cluster came back, and its hold in between is not known
        if before.holder and begun is not None and moment.holder != before.holder and not is_lost:
            counted.holds[moment.second - begun, moment.second, before.holder, cluster] += 1
        if moment.holder != before.holder or is_lost:
            begun = None
        if moment.holder and begun is None and moment.state not in ("occupied", ""):
            begun = moment.second
