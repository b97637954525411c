"""Make a decision safe to repeat: carried out once for each request, whatever number of times it is sent."""

from collections.abc import Callable
from datetime import datetime
from typing import Concatenate, ParamSpec

from cimaster.pool import Answer, Pool, Request, once
from cimaster.repository.pending_changes import Decision

P = ParamSpec("P")


def idempotent(
    decision: Callable[Concatenate[Pool, datetime, P], tuple[Pool, Answer]],
    request: Request | None,
    *args: P.args,
    **kwargs: P.kwargs,
) -> Decision:
    """Return a decision of pool/ with its arguments, as the repository takes it.

    A request that was carried out before gets its answer again, and changes nothing more.
    """

    def decide(pool: Pool, now: datetime) -> tuple[Pool, Answer]:
        return once(pool, now, request, lambda: decision(pool, now, *args, **kwargs))

    return decide
