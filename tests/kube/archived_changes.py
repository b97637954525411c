"""Judges the archive of history by what etcd stored: at each moment, archive and pool together have each change once.

The truth is each change as the pool's object had it in the very commit that made it. The objects of the archive are
read here without the code of CIMaster.
"""

import json
import zlib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from functools import lru_cache
from types import TracebackType
from typing import Any, Self

from cimaster.pool import Pool
from cimaster.repository.stores.port import StoredObject
from tests.kube.stored_versions import StoredVersion, StoredVersions, pools

Change = Mapping[str, Any]
SLOTS = 8  # objects of the archive that k8s/ ships


class ArchiveVersions:
    """Every version of the pool's object and of the archive's; a context manager."""

    def __init__(self, etcd_url: str, namespace: str) -> None:
        self._pool = StoredVersions(etcd_url, namespace)
        self._slots = [StoredVersions(etcd_url, namespace, f"clusters-history-{place:02}") for place in range(SLOTS)]
        self._stack = ExitStack()

    def __enter__(self) -> Self:
        for each in (self._pool, *self._slots):
            self._stack.enter_context(each)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stack.close()

    def pool(self) -> list[StoredVersion]:
        """Return all versions of the pool's object since the block began."""
        return self._pool.up_to_now()

    def judge(self) -> "JudgedArchive":
        """Return what is wrong with the archive, in all versions since the block began."""
        slots = [slot.up_to_now() for slot in self._slots]
        return JudgedArchive(self.pool(), slots)


class JudgedArchive:
    """The changes that were made (`changes`), and the `problems` of the archive that should have them.

    `archived` counts the changes in the archive at the end.
    """

    def __init__(self, pool: Sequence[StoredVersion], slots: Sequence[Sequence[StoredVersion]]) -> None:
        self.changes: list[Change] = []
        self.problems: list[str] = []
        self.archived = self._archived_up_to = 0
        self._archive: dict[int, list[Change]] = {}
        steps: list[tuple[int, int, StoredVersion, Pool | None]] = [
            (version.revision, -1, version, known) for version, known in pools(list(pool))
        ]
        steps += [(each.revision, place, each, None) for place, versions in enumerate(slots) for each in versions]
        for _, place, version, known in sorted(steps, key=lambda step: step[0]):
            if known is None:
                self._archive[place] = list(_changes(version.object))
                self._judge_archive(version.revision)
            else:
                self._judge_pool(known)

    def _judge_archive(self, revision: int) -> None:
        """Compare the archive with the changes up to now: the newest slots must be a part of them without a gap."""
        found = [change for slot in sorted(self._archive.values(), key=_first_commit) for change in slot]
        self.archived = len(found)
        if not found:
            return
        end = self._place_after(found[-1])
        if found != self.changes[end - len(found) : end]:
            self.problems.append(f"revision {revision}: the archive has {_difference(found, self.changes[:end])}")
        self._archived_up_to = end

    def _judge_pool(self, pool: Pool) -> None:
        """Note the changes of a commit, and look whether those that left the pool are archived."""
        waiting = [entry.fields for entry in pool.history]
        known = self.changes[-1]["commit"] if self.changes else 0
        self.changes += [change for change in waiting if change["commit"] > known]
        start = len(self.changes) - len(waiting)
        if waiting != self.changes[start:]:
            self.problems.append(f"commit {pool.commit}: the pool has {_difference(waiting, self.changes[start:])}")
        if start > self._archived_up_to:
            missing = self.changes[self._archived_up_to : start]
            self.problems.append(f"commit {pool.commit}: {len(missing)} changes are nowhere, such as {missing[0]}")

    def _place_after(self, change: Change) -> int:
        """Return how many changes there were up to this one."""
        place = len(self.changes)
        while place and self.changes[place - 1]["commit"] > change["commit"]:
            place -= 1
        return place


def _changes(stored: StoredObject) -> Iterator[Change]:
    """Yield the changes in an object of the archive, as the pool had them."""
    meta, packed, at = json.loads(stored.data.get("slot.json", "{}")), stored.binary("changes"), 0
    for size, *_ in meta.get("frames", ()):
        yield from _frame(packed[at : at + size])
        at += size


@lru_cache(maxsize=1000)
def _frame(packed: bytes) -> list[Change]:
    lines = [json.loads(line) for line in zlib.decompress(packed).split(b"\n")]
    return [{key: value for key, value in line.items() if key not in ("purpose", "region")} for line in lines]


def _first_commit(slot: list[Change]) -> int:
    return int(slot[0]["commit"]) if slot else 0


def _difference(found: Sequence[Change], expected: Sequence[Change]) -> str:
    for place, (change, other) in enumerate(zip(reversed(found), reversed(expected), strict=False)):
        if change != other:
            return f"{change} in place of {other}, {place} changes before the end"
    return f"{len(found)} changes in place of {len(expected)}"
