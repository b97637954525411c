"""Choose the people that a hold is shared with: they may extend and release it too."""

from collections.abc import Sequence
from datetime import datetime

from cimaster.pool.decisions.hold_times import sharing_people
from cimaster.pool.decisions.holding import check_may_share, no_longer
from cimaster.pool.records.cluster import Cluster
from cimaster.pool.records.pool import Answer, Pool


def share(pool: Pool, now: datetime, name: str, by: str, people: Sequence[str]) -> tuple[Pool, Answer]:
    """Share a person's own hold with these people and no others; with none, it is no longer shared."""
    cluster = pool.find(name)
    if not cluster.hold:
        raise no_longer(cluster, "held")
    check_may_share(cluster, by)
    shared = cluster.edited(holdWith=sharing_people(people, by))
    if shared.fields == cluster.fields:
        return pool, Answer(f"the hold of {name} is {_shared(shared)} already", cluster)
    pool = pool.changed(cluster, shared, "hold shared", now, by, reason=_shared(shared))
    return pool, Answer(f"the hold of {name} is {_shared(shared)}", shared)


def _shared(cluster: Cluster) -> str:
    people = cluster.hold.shared_with if cluster.hold else ()
    return f"shared with {', '.join(people)}" if people else "shared with no one"
