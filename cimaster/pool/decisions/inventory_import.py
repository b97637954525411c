"""Bring the pool into line with an inventory that an admin has reviewed in the browser.

It carries out the plan that was shown, or nothing. It removes no cluster that is in use, and empties no purpose.
"""

from collections.abc import Set
from dataclasses import dataclass, replace
from datetime import datetime

from cimaster.common.texts import printable
from cimaster.errors import PlanChanged, PurposeEmptied, Refusal
from cimaster.pool.decisions import descriptions, inventory, inventory_plan
from cimaster.pool.decisions.inventory import ClusterFacts
from cimaster.pool.decisions.inventory_plan import Inventory, Step, SyncTerms
from cimaster.pool.decisions.selection import DONE, FAILED, ItemResult
from cimaster.pool.records.json_values import dump
from cimaster.pool.records.pool import Answer, Pool
from cimaster.pool.records.record import digest_of

_NOTHING: Set[str] = frozenset()


@dataclass(frozen=True)
class ImportPlan:
    """What an import changes. `kept` describes the clusters that it does not remove because they are in use.

    `unlisted` is the number of clusters that stay although the inventory does not list them, because the admin did not
    ask for removals.
    """

    steps: tuple[Step, ...]
    kept: tuple[str, ...]
    unlisted: int
    unchanged: int
    broken: tuple[str, ...]
    emptied: tuple[str, ...]

    @property
    def digest(self) -> str:
        """A digest of the steps, which changes if what they show of their clusters does."""
        return digest_of(dump([(str(step), step.before) for step in self.steps]))

    def check(self) -> None:
        """Refuse a plan that leaves a purpose without clusters."""
        if self.emptied:
            raise PurposeEmptied(
                f"no cluster would be left for purpose {' and '.join(self.emptied)}, so nothing is changed: "
                "list one with this purpose in the file"
            )


@dataclass(frozen=True)
class ImportAnswer(Answer):
    """The answer to one part of an import: its results, and the digest of the remaining plan; empty if it is done."""

    results: tuple[ItemResult, ...] = ()
    remaining: str = ""


def plan(pool: Pool, wanted: Inventory, *, removes: bool, without: Set[str] = _NOTHING) -> ImportPlan:
    """Return what an import changes; with `removes`, clusters that it does not list are removed.

    Raises as `inventory_plan.plan` does. The steps about the clusters `without` are left out.
    """
    unlisted = [c for c in pool.clusters if not c.fault and printable(c.name) not in wanted]
    staying = [cluster for cluster in unlisted if not removes or inventory.is_in_use(cluster)]
    unchanged = {printable(cluster.name): ClusterFacts() for cluster in staying}
    full = inventory_plan.plan(pool, {**wanted, **unchanged})
    return ImportPlan(
        steps=tuple(step for step in full.steps if step.name not in without),
        kept=tuple(f"{cluster.name} ({descriptions.situation(cluster)})" for cluster in staying if removes),
        unlisted=0 if removes else len(staying),
        unchanged=full.unchanged - len(staying),
        broken=full.broken,
        emptied=full.emptied,
    )


def carry_out(
    pool: Pool,
    now: datetime,
    wanted: Inventory,
    removes: bool,
    seen: str,
    failed: Set[str],
    terms: SyncTerms,
    most: int,
) -> tuple[Pool, ImportAnswer]:
    """Carry out up to `most` steps of a plan; PlanChanged if it is not the one with the digest `seen`.

    `failed` are the clusters whose steps were refused in an earlier part.
    """
    current = plan(pool, wanted, removes=removes, without=failed)
    if current.digest != seen:
        raise PlanChanged("the pool changed meanwhile in what this import touches: look at the new plan")
    if not failed:
        current.check()
    results = []
    for step in current.steps[:most]:
        try:
            pool, answer = inventory_plan.carry_out(pool, now, step, terms)
        except Refusal as refusal:
            results.append(ItemResult(step.name, FAILED, refusal.sentence))
        else:
            results.append(ItemResult(step.name, DONE, answer.text))
    rest = replace(current, steps=current.steps[most:])
    return pool, ImportAnswer("", results=tuple(results), remaining=rest.digest if rest.steps else "")
