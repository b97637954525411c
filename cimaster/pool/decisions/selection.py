"""Carry out one action on several clusters that a visitor has selected; each is decided as if it were the only one."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from cimaster.common.texts import brief
from cimaster.errors import ClusterInUse, Refusal, UnknownCluster
from cimaster.pool.decisions import descriptions, inventory
from cimaster.pool.decisions.inventory import ClusterFacts
from cimaster.pool.records.cluster import Cluster
from cimaster.pool.records.json_values import dump
from cimaster.pool.records.lease import HOLD_FIELDS
from cimaster.pool.records.pool import Answer, Pool
from cimaster.pool.records.record import digest_of

DONE, UNCHANGED, FAILED = "done", "unchanged", "failed"
OF_HOLD = ("hold", *HOLD_FIELDS)
OF_LENDING = ("disabled", "disabledBy", "disabledReason", "health", "healthReason")
OF_INVENTORY_AND_USE = ("region", "purpose", "osimage", "labels", "note", "status", "hold", "checkBy")

Decision = Callable[[Pool, datetime, str], tuple[Pool, Answer]]
"""The decision about one cluster, by its name."""


@dataclass(frozen=True)
class SelectedCluster:
    """A selected cluster: its name, and a digest of the fields that the visitor saw before confirming the action."""

    name: str
    seen: str = ""


@dataclass(frozen=True)
class ItemResult:
    """What became of a cluster: done, unchanged or failed, and the sentence that says so; "" names no single one."""

    name: str
    outcome: str
    sentence: str


@dataclass(frozen=True)
class SelectionAnswer(Answer):
    """The answer to an action on several clusters, with a result for each."""

    results: tuple[ItemResult, ...] = ()


@dataclass(frozen=True)
class LabelEdit:
    """Labels to set, and keys of labels to remove; all other labels stay."""

    added: Mapping[str, str] = field(default_factory=dict)
    removed: frozenset[str] = frozenset()


def digest(cluster: Cluster, fields: Sequence[str]) -> str:
    """Return a digest of some fields of a record, which tells whether they have changed since they were shown."""
    return digest_of(dump([cluster.fields.get(name) for name in fields]))


def for_each(
    pool: Pool, now: datetime, selected: Sequence[SelectedCluster], fields: Sequence[str], decide: Decision
) -> tuple[Pool, SelectionAnswer]:
    """Decide about each cluster in turn. One that is refused, or whose `fields` have changed, stops no other."""
    results = []
    for item in selected:
        try:
            _check_known(pool, item.name)
            changed, answer = decide(pool, now, item.name)  # first, because its refusals say more
            _check_unchanged(pool.find(item.name), item, fields)
        except Refusal as refusal:
            results.append(ItemResult(item.name, FAILED, refusal.sentence))
        else:
            results.append(ItemResult(item.name, UNCHANGED if changed is pool else DONE, answer.text))
            pool = changed
    return pool, SelectionAnswer(summary(results), results=tuple(results))


def _check_known(pool: Pool, name: str) -> None:
    if not pool.knows(name):
        raise UnknownCluster(f"cluster {brief(name)} is no longer in the pool", cluster=name)


def _check_unchanged(cluster: Cluster, item: SelectedCluster, fields: Sequence[str]) -> None:
    if digest(cluster, fields) != item.seen:
        raise Refusal(
            f"{cluster.name} was changed meanwhile: it is now {descriptions.situation(cluster)}; select it again"
        )


def summary(results: Sequence[ItemResult]) -> str:
    """Return how many clusters were changed, and which ones failed: `9 done, 1 failed: cluster-07 is in use by …`."""
    outcomes = [result.outcome for result in results]
    failed = [result for result in results if result.outcome == FAILED]
    parts = [f"{outcomes.count(DONE)} done"]
    parts += [f"{outcomes.count(UNCHANGED)} unchanged"] if UNCHANGED in outcomes else []
    if failed:
        why = failed[0].sentence if len(failed) == 1 else ", ".join(result.name for result in failed if result.name)
        parts.append(f"{len(failed)} failed: {why}")
    return ", ".join(parts)


def edit_labels(pool: Pool, now: datetime, name: str, by: str, edit: LabelEdit) -> tuple[Pool, Answer]:
    """Set and remove some labels of a cluster; the others stay."""
    kept = {key: value for key, value in pool.find(name).labels.items() if key not in edit.removed}
    return inventory.update(pool, now, name, by, ClusterFacts(labels={**kept, **edit.added}))


def delete_unused(pool: Pool, now: datetime, name: str, by: str, reason: str) -> tuple[Pool, Answer]:
    """Delete a cluster; refuse if it is in use."""
    cluster = pool.find(name)
    if inventory.is_in_use(cluster):
        user = descriptions.occupant(cluster)
        use = f"in use by {user}" if user else descriptions.check_progress(cluster)
        raise ClusterInUse(f"{name} is {use}: wait until it is free, or delete it on its own page", cluster=name)
    return inventory.delete(pool, now, name, by, reason=reason)
