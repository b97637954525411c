"""Move a pool between stores, with `cimaster export` and `cimaster import`."""

import dataclasses
from collections.abc import Mapping, Sequence
from datetime import datetime

from cimaster.errors import ClusterExists
from cimaster.pool import Answer, Pool, Rules
from cimaster.pool.codec import decode
from cimaster.pool.decisions import archiving, creation_retention, replacement
from cimaster.pool.records.archive_claim import ArchiveClaim
from cimaster.pool.records.history import History
from cimaster.pool.records.queue import EMPTY
from cimaster.repository.history_slot import Slot
from cimaster.repository.pending_changes import Decision
from cimaster.repository.stores.port import StoredObject
from cimaster.services.archiving import missing_in_archive
from cimaster.settings import Settings


def exported(stored: StoredObject) -> dict[str, object]:
    """Return the object as a manifest, without the metadata that the store sets."""
    metadata = stored.body.get("metadata", {})
    kept = {key: metadata[key] for key in ("name", "labels", "annotations") if metadata.get(key)}
    rest = {key: value for key, value in stored.body.items() if key not in ("metadata", "data")}
    return {**rest, "metadata": kept, "data": dict(stored.data)}


def exported_list(pool: StoredObject, archive: Sequence[Slot]) -> dict[str, object]:
    """Return the pool and the slots of its archive of history as a list of manifests."""
    items = [exported(pool), *(exported(slot.object) for slot in archive)]
    return {"apiVersion": "v1", "kind": "List", "items": items}


def importing(
    data: Mapping[str, str], settings: Settings, *, replace: bool, archive: Sequence[Slot] = (), by: str = ""
) -> Decision:
    """Return the change that fills a pool with the data of a file.

    The change is refused for a pool with clusters, unless `replace` is set. The pool keeps its commit counter and
    its changes, and its policies and rules of purposes if the file has none. What becomes of clusters that are replaced
    is in its history, as done by `by`. `archive` has the slots with which the archive of history was filled: its
    changes take the place of the pool's, and later ones get higher numbers.
    """
    loaded = decode(data, 0, rules_of(settings))
    through = max((slot.last for slot in archive), default=0)
    unarchived = _unarchived(loaded.history, archive)

    def change(pool: Pool, now: datetime) -> tuple[Pool, Answer]:
        check_empty(pool, replace=replace)
        commit = max(pool.commit, through)
        history = archiving.imported(unarchived, commit + 1)
        if not archive:  # those of the file come last: uses that its unarchived changes begin go on after the import
            replaced = replacement.changes(pool, loaded, now, by) if pool.clusters else ()
            history = (*pool.history, *replaced, *history)
        filled = dataclasses.replace(
            loaded,
            commit=commit,
            other_keys={**pool.other_keys, **loaded.other_keys},
            history=history,
            archive=ArchiveClaim(through=through, edition=pool.archive.edition + 1) if archive else pool.archive,
            policies=loaded.policies or pool.policies,
            purpose_rules=loaded.purpose_rules or pool.purpose_rules,
            outbox=pool.outbox,  # the notices of the file were sent by the pool that it comes from
            queue=EMPTY,  # waiting callers repeat their requests
        ).with_creations(
            creation_retention.merge_imported(pool.creations, creation_retention.fail_unstarted(loaded.creations, now))
        )
        broken = sum(1 for cluster in filled.clusters if cluster.fault)
        note = f", {broken} of them broken" if broken else ""
        return filled, Answer(f"{len(filled.clusters)} clusters are imported{note}")

    return change


def check_empty(pool: Pool, *, replace: bool) -> None:
    """Raise ClusterExists for a pool with clusters, unless they are to be replaced."""
    if pool.clusters and not replace:
        raise ClusterExists(f"the pool already has {len(pool.clusters)} clusters: add --replace to replace them")


def _unarchived(history: History, archive: Sequence[Slot]) -> History:
    """Return the changes that the archive lacks: a replica may have stopped, or worked, before the pool was written."""
    missing = missing_in_archive(archive, {archiving.identity(entry) for entry in history})
    return tuple(entry for entry in history if archiving.identity(entry) in missing)


def rules_of(settings: Settings) -> Rules:
    """Return the durations and limits from the settings."""
    return Rules(
        settings.hold,
        settings.max_hold,
        settings.overdue_after,
        settings.creation,
        settings.quarantine_after,
        settings.max_clusters_per_job,
        settings.max_clusters_per_person,
    )
