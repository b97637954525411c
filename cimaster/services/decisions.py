"""Make decisions idempotent: each is carried out once per request, however often the request is sent."""

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
    """Bind a decision of pool/ to its arguments, for the repository.

    A request that was carried out before gets its earlier answer, and changes nothing.
    """

    def decide(pool: Pool, now: datetime) -> tuple[Pool, Answer]:
        return once(pool, now, request, lambda: decision(pool, now, *args, **kwargs))

    return decide
