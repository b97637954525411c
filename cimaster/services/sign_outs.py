"""When a caller last signed out, as other replicas may have written a moment ago."""

from datetime import datetime

from cimaster.errors import StoreTrouble
from cimaster.pool.decisions import sign_outs
from cimaster.repository.configmap_repository import ConfigMapRepository


def last_sign_out(repository: ConfigMapRepository, owner: str) -> datetime | None:
    """Return until when a caller's sessions are over; None if it has not signed out lately.

    It is read afresh. While the store fails, the newest known state counts.
    """
    try:
        pool = repository.fresh().pool
    except StoreTrouble:
        pool = repository.snapshot().pool
    return sign_outs.last(pool, owner)
