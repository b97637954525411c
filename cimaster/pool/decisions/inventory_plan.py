"""Compare the pool with an inventory that admins keep in a file, and carry out the difference step by step.

Only facts are compared. A lease, a hold, a disabled cluster and its health belong to the service.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from cimaster.common.texts import brief, printable
from cimaster.errors import BadParameter, ClusterInUse, MissingParameter, Refusal
from cimaster.pool import parsers
from cimaster.pool.decisions import descriptions, inventory
from cimaster.pool.decisions.inventory import ClusterFacts
from cimaster.pool.records.cluster import DEFAULT_PURPOSE, IMAGE_PURPOSE, Cluster
from cimaster.pool.records.json_values import dump
from cimaster.pool.records.pool import Answer, Pool
from cimaster.pool.records.record import digest_of

ADD, CHANGE, REMOVE = "+", "~", "-"
FACTS = ("region", "purpose", "osimage", "labels", "note")
_CLEARABLE = ("osimage", "labels", "note")
_PARSERS = {"region": parsers.word, "purpose": parsers.word, "osimage": parsers.word, "note": parsers.plain}

Inventory = Mapping[str, ClusterFacts]
"""The facts about each cluster, by its name; None keeps what the pool has."""


@dataclass(frozen=True)
class Step:
    """One cluster to add, change or remove; `detail` describes that to people, `facts` are those to write.

    `before` is a digest of the facts that are changed, which `detail` may show in part only.
    """

    kind: str
    name: str
    detail: str
    facts: ClusterFacts = ClusterFacts()
    before: str = ""

    def __str__(self) -> str:
        return f"{self.kind} {self.name}{self.detail}"


@dataclass(frozen=True)
class Plan:
    """The steps after which the pool agrees with the inventory: additions first, removals last.

    `unchanged` is a number of clusters, `broken` describes the records that are left alone, and `emptied` the purposes
    that have clusters now and would have none afterwards.
    """

    steps: tuple[Step, ...]
    unchanged: int
    broken: tuple[str, ...]
    emptied: tuple[str, ...]

    def check(self) -> None:
        """Refuse a plan that leaves a purpose without clusters."""
        if self.emptied:
            raise Refusal(
                f"no cluster would be left for purpose {' and '.join(self.emptied)}, so nothing is changed: "
                "list one in the file, or add --force and --reason"
            )


@dataclass(frozen=True)
class SyncTerms:
    """The admin on whose behalf a plan is carried out; `force` also removes what is in use, and empties a purpose.

    `or_force` is the end of a refusal's remedy: how to force it, if the admin can.
    """

    by: str
    force: bool = False
    reason: str = ""
    or_force: str = ", or add --force and --reason"


def plan(pool: Pool, wanted: Inventory) -> Plan:
    """Return what to do so that the pool has the clusters of the inventory, with these facts.

    A value is validated only if it would be written: the pool may have older ones. BadParameter and MissingParameter
    name the cluster and the fact.
    """
    usable = {printable(cluster.name): cluster for cluster in pool.clusters if not cluster.fault}
    broken = [cluster for cluster in pool.clusters if cluster.fault]
    present = {*usable, *(printable(cluster.name_as_written or "") for cluster in broken)}
    added = [_addition(name, facts) for name, facts in wanted.items() if name not in present]
    compared = [_change(cluster, wanted[name]) for name, cluster in usable.items() if name in wanted]
    changed = [step for step in compared if step]
    removed = [_removal(cluster) for name, cluster in usable.items() if name not in wanted]
    return Plan(
        steps=(*added, *changed, *removed),
        unchanged=len(compared) - len(changed),
        broken=tuple(f"{_broken_name(pool, cluster)} is broken ({cluster.fault})" for cluster in broken),
        emptied=tuple(_emptied(usable, wanted)),
    )


def _addition(name: str, facts: ClusterFacts) -> Step:
    try:
        parsers.new_cluster(name)
    except ValueError as error:
        raise BadParameter(f"cluster {brief(name)} cannot be added: expected {error}", parameter="name") from None
    given = {fact: value for fact, value in _given(facts).items() if value or fact not in _CLEARABLE}
    if "region" not in given:
        raise MissingParameter(f"cluster {name} is new and has no region: give its region", parameter="region")
    _check_values(name, given)
    _check_image(name, given)
    detail = ", ".join(f"{fact} {_shown(value)}" for fact, value in given.items())
    return Step(ADD, name, f" ({detail})", ClusterFacts(**given))


def _change(cluster: Cluster, facts: ClusterFacts) -> Step | None:
    """Return the step that gives a cluster these facts; None if it has them."""
    stored = {fact: getattr(cluster, fact) for fact in FACTS} | {"note": printable(cluster.note)}
    different = {fact: value for fact, value in _given(facts).items() if value != stored[fact]}
    if not different:
        return None
    _check_values(cluster.name, different)
    _check_image(cluster.name, stored | different)
    detail = "; ".join(f"{fact} {_shown(stored[fact])} -> {_shown(value)}" for fact, value in different.items())
    before = digest_of(dump({fact: stored[fact] for fact in different}))
    return Step(CHANGE, cluster.name, f": {detail}", ClusterFacts(**different), before)


def _removal(cluster: Cluster) -> Step:
    return Step(REMOVE, cluster.name, f" ({descriptions.situation(cluster)})")


def _given(facts: ClusterFacts) -> dict[str, Any]:
    values = {fact: getattr(facts, fact) for fact in FACTS}
    return {fact: value for fact, value in values.items() if value is not None}


def _check_values(name: str, values: Mapping[str, Any]) -> None:
    """Refuse values that must not be written; an empty one removes a fact that a cluster can be without."""
    for fact, value in values.items():
        if not value and fact in _CLEARABLE:
            continue
        try:
            _check_value(fact, value)
        except ValueError as error:
            raise BadParameter(
                f"cluster {name} has {fact} {brief(_shown(value))}: expected {error}", parameter=fact
            ) from None


def _check_value(fact: str, value: Any) -> None:
    if fact == "labels":
        for key, text in value.items():
            parsers.label(f"{key}={text}")
    else:
        _PARSERS[fact](value)


def _check_image(name: str, facts: Mapping[str, Any]) -> None:
    if facts.get("purpose") == IMAGE_PURPOSE and not facts.get("osimage"):
        raise MissingParameter(
            f"cluster {name} has purpose {IMAGE_PURPOSE} and no osimage: give the name that jobs request",
            parameter="osimage",
        )


def _shown(value: Any) -> str:
    if isinstance(value, dict):
        value = ",".join(f"{key}={text}" for key, text in value.items())
    return brief(value, 80) or "none"


def _broken_name(pool: Pool, cluster: Cluster) -> str:
    reference = pool.reference(cluster)
    return f"{reference} ({brief(cluster.name_as_written)})" if cluster.name_as_written else reference


def _emptied(usable: Mapping[str, Cluster], wanted: Inventory) -> Iterable[str]:
    kept = {facts.purpose or DEFAULT_PURPOSE for name, facts in wanted.items() if name not in usable}
    kept |= {wanted[name].purpose or cluster.purpose for name, cluster in usable.items() if name in wanted}
    for purpose in sorted({cluster.purpose for cluster in usable.values()} - kept):
        names = [cluster.name for cluster in usable.values() if cluster.purpose == purpose]
        yield f"{purpose} (now {brief(', '.join(names))})"


def carry_out(pool: Pool, now: datetime, step: Step, terms: SyncTerms) -> tuple[Pool, Answer]:
    """Carry out one step by the same decision as the endpoint for it."""
    if step.kind == ADD:
        return inventory.add(pool, now, step.name, terms.by, step.facts)
    if step.kind == CHANGE:
        return inventory.update(pool, now, step.name, terms.by, step.facts)
    return _remove(pool, now, step.name, terms)


def _remove(pool: Pool, now: datetime, name: str, terms: SyncTerms) -> tuple[Pool, Answer]:
    if not pool.records_named(name):
        return pool, Answer(f"cluster {name} was deleted already")
    cluster = pool.find(name)
    if not terms.force:
        _check_removable(pool, cluster, terms.or_force)
    return inventory.delete(pool, now, name, terms.by, terms.force, terms.reason)


def _check_removable(pool: Pool, cluster: Cluster, or_force: str) -> None:
    """Refuse to remove a cluster that is in use, or the last one of its purpose.

    The plan was checked for the latter too, but since then an addition may have failed, or another admin may have
    removed a cluster.
    """
    if inventory.is_in_use(cluster):
        raise ClusterInUse(
            f"it is {descriptions.situation(cluster)}: wait until it is free{or_force}",
            cluster=cluster.name,
        )
    if not any(c.purpose == cluster.purpose for c in pool.clusters if c is not cluster and not c.fault):
        raise Refusal(f"it is the last cluster of purpose {cluster.purpose}: add another one first{or_force}")
