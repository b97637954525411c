"""Move a pool between stores, with `cimaster export` and `cimaster import`."""

import dataclasses
from datetime import datetime

from cimaster.errors import ClusterExists
from cimaster.pool import Answer, Pool, Rules
from cimaster.pool.codec import decode
from cimaster.pool.decisions import archiving, creation_retention
from cimaster.pool.records.queue import EMPTY
from cimaster.repository.pending_changes import Decision
from cimaster.repository.stores.port import StoredObject
from cimaster.services import pool_file
from cimaster.settings import Settings


def exported(stored: StoredObject) -> dict[str, object]:
    """Return the object as a manifest, without the metadata that the store sets."""
    metadata = stored.body.get("metadata", {})
    kept = {key: metadata[key] for key in ("name", "labels", "annotations") if metadata.get(key)}
    rest = {key: value for key, value in stored.body.items() if key not in ("metadata", "data")}
    return {**rest, "metadata": kept, "data": dict(stored.data)}


def importing(text: str, settings: Settings, *, replace: bool) -> Decision:
    """Return the change that fills a pool from a file; BadBody if the file contains no pool.

    The change is refused for a pool with clusters, unless `replace` is set. The pool keeps its commit counter, and its
    history, policies and rules of purposes if the file has none.
    """
    loaded = decode(pool_file.data_of(text), 0, rules_of(settings))

    def change(pool: Pool, now: datetime) -> tuple[Pool, Answer]:
        if pool.clusters and not replace:
            raise ClusterExists(f"the pool already has {len(pool.clusters)} clusters: add --replace to replace them")
        filled = dataclasses.replace(
            loaded,
            commit=pool.commit,
            other_keys={**pool.other_keys, **loaded.other_keys},
            history=archiving.imported(loaded.history, pool.next_commit) or pool.history,
            archive=pool.archive,
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
