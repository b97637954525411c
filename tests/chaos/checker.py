"""Judges whether one correct pool, serving one caller at a time, could have given these answers at these moments.

Each cluster is checked separately (a history is linearizable if that of each object is). The search is Wing and Gong's,
with Lowe's memory of what was tried; it looks for an order of all operations that respects real time.
"""

import bisect
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

NEVER = float("inf")
VACANT = ""
PERSON = "person-"  # begins the names of people; leases have no such ids


@dataclass(frozen=True)
class Operation:
    """What one caller did to one cluster, and between which moments (seconds) it must have happened.

    `tenant` names the lease or the hold, unlike any other. An operation that is not `sure` may have happened or not.
    `commit` is the number that the answer named; 0 if there was no answer.
    """

    cluster: str
    action: str  # take: a tenant gets the vacant cluster; leave: that tenant leaves; see: the tenant is this one
    tenant: str  # also pass: it passes from this tenant to the next; take over: from any person to this tenant
    began: float
    ended: float = NEVER
    sure: bool = True
    commit: int = 0
    next_tenant: str = ""

    def after(self, tenant: str) -> str | None:
        """Return the tenant after this operation on a cluster of `tenant`; None if the operation is impossible."""
        if self.action == "take":
            return self.tenant if tenant == VACANT else None
        if self.action == "take over":
            return self.tenant if tenant.startswith(PERSON) else None
        if tenant != self.tenant:
            return None
        if self.action == "pass":
            return self.next_tenant
        return VACANT if self.action == "leave" else tenant


def violations(history: Iterable[Operation]) -> list[str]:
    """Return, for each cluster with an impossible history, the operations that no order explains."""
    by_cluster: defaultdict[str, list[Operation]] = defaultdict(list)
    for operation in history:
        by_cluster[operation.cluster].append(operation)
    found = (_impossible(sorted(operations, key=lambda o: o.began)) for operations in by_cluster.values())
    return [text for text in found if text]


def _impossible(operations: Sequence[Operation]) -> str:
    """Search for an order, depth first; `done` is a set of positions as the bits of a number."""
    tried: set[tuple[int, str]] = set()
    path = [(0, VACANT)]
    furthest = 0
    needed = sum(1 << place for place, operation in enumerate(operations) if operation.sure)
    while path:
        done, tenant = path.pop()
        if done & needed == needed:
            return ""
        if (done, tenant) in tried:
            continue
        tried.add((done, tenant))
        furthest = max(furthest, done, key=int.bit_count)
        path.extend(_next(operations, done, tenant))
    stuck = [operation for place, operation in enumerate(operations) if not furthest >> place & 1]
    return f"no order explains, among others: {stuck[:4]}"


def _next(operations: Sequence[Operation], done: int, tenant: str) -> list[tuple[int, str]]:
    """Return what may come next: the operations that began before the first of the rest must have ended."""
    steps = []
    must_end = NEVER
    first = (~done & (done + 1)).bit_length() - 1  # all operations before it are done
    for place in range(first, len(operations)):
        operation = operations[place]
        if operation.began > must_end:
            break
        if done >> place & 1:
            continue
        must_end = min(must_end, operation.ended if operation.sure else NEVER)
        after = operation.after(tenant)
        if after is not None:
            steps.append((done | 1 << place, after))
    return steps


def steps_back(history: Iterable[Operation]) -> list[str]:
    """Return the answers that named an older state than an answer that preceded their request."""
    answered = sorted((operation for operation in history if operation.commit), key=lambda o: o.ended)
    ends = [operation.ended for operation in answered]
    newest = [0]
    for operation in answered:
        newest.append(max(newest[-1], operation.commit))
    return [
        f"{operation} after commit {known}"
        for operation in answered
        if operation.commit < (known := newest[bisect.bisect_left(ends, operation.began)])
    ]
