"""Move history into the archive: which changes are due, and what stays in the pool afterwards.

An entry leaves the pool only once the archive has it: a crash between the two leaves it in both, and its commit number
shows that it was archived.
"""

import dataclasses
from collections.abc import Collection
from datetime import datetime, timedelta

from cimaster.pool.records import history
from cimaster.pool.records.history import Entry, History
from cimaster.pool.records.json_values import dump
from cimaster.pool.records.pool import Answer, Pool

DUE_SIZE = 4_000  # bytes of unarchived entries from which they are archived: every write sends them all
DUE_AGE = timedelta(minutes=5)  # of the oldest unarchived entry, after which it is archived anyway
LATE = timedelta(seconds=1.5)  # age of a change, of those from DUE_SIZE on, at which the archiver seems to stand still
CLAIM = timedelta(seconds=60)  # after which another replica may take over
RECENT, MAX_RECENT = timedelta(hours=1), 2_000  # the archived entries that a replica keeps in memory for decisions
_ADDED_BY_ARCHIVE = ("purpose", "region")


def is_due(pool: Pool, now: datetime) -> bool:
    """Say whether the unarchived entries should be archived now."""
    return bool(pool.history) and (pool_size(pool) >= DUE_SIZE or age(pool, now) >= DUE_AGE)


def may_claim(pool: Pool, now: datetime, owner: str) -> bool:
    """Say whether a replica may archive: no other one has the claim, or that one does not keep up.

    Two replicas that archive at the same time do no harm: one of them has to read the archive again.
    """
    return is_late(pool, now) or not pool.archive.is_of_another(owner, now)


def is_late(pool: Pool, now: datetime) -> bool:
    """Say whether the changes have been due for so long that the replica with the claim seems to stand still."""
    return pool_size(pool) >= DUE_SIZE and age(pool, now) > LATE


def pool_size(pool: Pool) -> int:
    """Return the bytes of the unarchived entries."""
    return sum(entry.size for entry in pool.history)


def age(pool: Pool, now: datetime) -> timedelta:
    """Return the age of the oldest unarchived entry."""
    first = next((entry.at for entry in pool.history if entry.at), None)
    return max(now - first, timedelta()) if first else timedelta()


def claim(pool: Pool, now: datetime, owner: str, *, takes_over: bool = True) -> tuple[Pool, Answer]:
    """Claim the archive for a replica; the answer is empty if it may not.

    Without `takes_over`, an expired claim of another replica counts too.
    """
    if not may_claim(pool, now, owner) or (pool.archive.by not in ("", owner) and not takes_over):
        return pool, Answer("")
    return dataclasses.replace(pool, archive=pool.archive.renewed(owner, now + CLAIM)), Answer(owner)


def begin_edition(pool: Pool) -> tuple[Pool, Answer]:
    """Announce that the archive is written anew; the answer is the number of its new edition."""
    edition = pool.archive.edition + 1
    return dataclasses.replace(pool, archive=dataclasses.replace(pool.archive, edition=edition)), Answer(str(edition))


def release_claim(pool: Pool, owner: str) -> tuple[Pool, Answer]:
    """Give up the claim of a replica."""
    if pool.archive.by != owner:
        return pool, Answer("")
    return dataclasses.replace(pool, archive=dataclasses.replace(pool.archive, by="", until=None)), Answer(owner)


def drop_archived(pool: Pool, now: datetime, owner: str, through: int, seen: Collection[str]) -> tuple[Pool, Answer]:
    """Remove the entries that the archive has, which ends with commit `through`, and extend or take over the claim.

    `seen` has the texts of the entries that were archived. An entry that the same write adds is not among them. A gap
    may be new: it stands for entries that were dropped while they were archived.
    A pool that was restored since, and so counts from an earlier commit, stays as it is.
    """
    if pool.commit < through:
        return pool, Answer("")
    archived: list[Entry] = []
    remaining: list[Entry] = []
    for commit, entry in pool.unarchived():
        is_archived = entry.text in seen or (commit <= through and entry.event == history.GAP)
        (archived if is_archived else remaining).append(entry)
    stored = dataclasses.replace(pool.archive, through=max(through, pool.archive.through))
    if is_late(pool, now) or not stored.is_of_another(owner, now):
        stored = stored.renewed(owner, now + CLAIM)
    recent = with_recent(pool.recent, tuple(archived))
    return dataclasses.replace(pool, history=tuple(remaining), archive=stored, recent=recent), Answer(owner)


def with_recent(recent: History, archived: History) -> History:
    """Return the archived entries to keep in memory: those of about the last hour."""
    if not archived:
        return recent
    both = (*recent, *archived)[-MAX_RECENT:]
    newest = next((entry.at for entry in reversed(both) if entry.at), None)
    since = newest - RECENT if newest else None
    return tuple(entry for entry in both if entry.at and since and entry.at >= since)


def left_history(before: Pool, history: History) -> History:
    """Return the entries that a pool had `before` and that are not in its history any more."""
    if not before.history or (history and history[0] is before.history[0]):
        return ()
    remaining = {entry.text for entry in history}
    return tuple(entry for entry in before.history if entry.text not in remaining)


def renumber(pool: Pool, _now: datetime, last: int, archived: Collection[str]) -> tuple[Pool, Answer]:
    """Give the changes of a restored pool commit numbers that the archive has not used.

    A restored pool counts from an earlier commit. `last` is the newest commit in the archive, and `archived`
    identifies its changes that the pool may have too; they leave the pool.
    """
    kept = [(commit, entry) for commit, entry in pool.unarchived() if identity(entry) not in archived]
    if not kept or kept[0][0] > last:
        return pool, Answer("")
    entries: list[Entry] = []
    number, before = last, -1
    for commit, entry in kept:
        number, before = number + (commit != before), commit
        entries.append(entry if entry.fault else Entry({**entry.fields, "commit": number}))
    renumbered = dataclasses.replace(pool, history=tuple(entries), commit=max(pool.commit, number))
    return renumbered, Answer("renumbered")


def imported(entries: History, commit: int) -> History:
    """Return the history of another pool as changes of this commit; the other pool's numbers mean nothing here."""
    return tuple(entry if entry.fault else Entry({**entry.fields, "commit": commit}) for entry in entries)


def identity(entry: Entry) -> str:
    """Return what distinguishes a change from all others: its JSON without what the archive adds."""
    if entry.fault:
        return _on_one_line(entry.text)
    return dump({key: value for key, value in entry.fields.items() if key not in _ADDED_BY_ARCHIVE})


def described(entry: Entry, pool: Pool) -> Entry:
    """Return an entry as it is archived: an object, with the purpose and region of its cluster if the pool has it."""
    if entry.fault:
        return Entry(dict(entry.fields), _on_one_line(entry.text), entry.fault)
    fields = dict(entry.fields)
    if entry.cluster in pool.positions:
        cluster = pool.clusters[pool.positions[entry.cluster]]
        fields["purpose"] = cluster.purpose
        if cluster.region:
            fields["region"] = cluster.region
    return Entry(fields, dump(fields))


def _on_one_line(json: str) -> str:
    """Return the same JSON in one line: the archive has one change per line, and only blanks can contain a break."""
    return json.replace("\n", " ")


def archive_gap(through: int, next_entry: Entry) -> Entry:
    """Return the entry that stands for changes up to commit `through`, which the archive had and has no more."""
    reason = "the archive was damaged or restored: it ended before these changes"
    return Entry({"commit": through, "at": next_entry.get_text("at"), "event": history.GAP, "reason": reason})
