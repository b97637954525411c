"""Actions on several clusters: many in each write, but not so many that other callers wait for long."""

from collections.abc import Sequence
from functools import partial

from cimaster.errors import StoreTrouble
from cimaster.pool.decisions import selection
from cimaster.pool.decisions.selection import FAILED, Decision, ItemResult, SelectedCluster, SelectionAnswer
from cimaster.repository.configmap_repository import Committed, ConfigMapRepository

_PER_WRITE = 50  # deletions in a pool of 1,000 clusters take 3 ms each, and all callers of the replica wait meanwhile


def carry_out(
    repository: ConfigMapRepository, selected: Sequence[SelectedCluster], fields: Sequence[str], decide: Decision
) -> Committed:
    """Decide about each selected cluster whose `fields` are as the visitor saw them; the answer has all results.

    StoreTrouble if the first write failed. If a later one fails, its clusters and the remaining ones count as failed.
    """
    results: list[ItemResult] = []
    commit = 0
    for start in range(0, len(selected), _PER_WRITE):
        part = selected[start : start + _PER_WRITE]
        try:
            done = repository.update(partial(selection.for_each, selected=part, fields=fields, decide=decide))
        except StoreTrouble as trouble:
            if not results:
                raise
            results += [ItemResult(item.name, FAILED, str(trouble)) for item in selected[start:]]
            break
        assert isinstance(done.answer, SelectionAnswer)
        results += done.answer.results
        commit = done.commit
    return Committed(SelectionAnswer(selection.summary(results), results=tuple(results)), commit)
