"""Carries out an import that an admin has reviewed, some steps in each write."""

from functools import partial

from cimaster.errors import Refusal, StoreTrouble
from cimaster.pool.decisions import inventory_import
from cimaster.pool.decisions.inventory_import import ImportAnswer
from cimaster.pool.decisions.inventory_plan import Inventory, SyncTerms
from cimaster.pool.decisions.selection import FAILED, ItemResult
from cimaster.repository.configmap_repository import Committed, ConfigMapRepository

_PER_WRITE = 50  # steps in a pool of 1,000 clusters take 3 ms each, and all callers of the replica wait meanwhile


def carry_out(
    repository: ConfigMapRepository, wanted: Inventory, seen: str, terms: SyncTerms, *, removes: bool
) -> Committed:
    """Carry out the plan with the digest `seen`; the answer has a result for each step that was tried.

    A refusal or StoreTrouble if nothing was changed. What stops a later part is the last of the results.
    """
    results: list[ItemResult] = []
    commit = 0
    remaining = seen
    while True:
        failed = frozenset(result.name for result in results if result.outcome == FAILED)
        part = partial(
            inventory_import.carry_out,
            wanted=wanted,
            removes=removes,
            seen=remaining,
            failed=failed,
            terms=terms,
            most=_PER_WRITE,
        )
        try:
            done = repository.update(part)
        except (Refusal, StoreTrouble) as problem:
            if not results:
                raise
            results.append(ItemResult("", FAILED, f"the remaining steps were not tried: {problem.sentence}"))
            break
        assert isinstance(done.answer, ImportAnswer)
        results += done.answer.results
        commit, remaining = done.commit, done.answer.remaining
        if not remaining:
            break
    return Committed(ImportAnswer("", results=tuple(results)), commit)
