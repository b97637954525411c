"""What a visitor can do whose hold lost against another person or a job: hold another cluster, or wait in line."""

from dataclasses import dataclass
from datetime import datetime

from cimaster.errors import NoSuchClusterKind, NoVacantCluster
from cimaster.pool import Criteria, Pool
from cimaster.pool.decisions import hold_queue, lending
from cimaster.pool.records.cluster import Cluster

USUAL_WAIT = "2d"


@dataclass(frozen=True)
class Alternatives:
    """Another vacant cluster of the same purpose and image; if there is none, the visitor's place in line for one."""

    purpose: str
    osimage: str
    cluster: str = ""
    place: int = 0
    wait: str = USUAL_WAIT


def of(pool: Pool, wanted: Cluster, person: str, now: datetime) -> Alternatives:
    """Return what a person can do who wanted to hold this cluster."""
    kind = Criteria("", "", by=person, purpose=wanted.purpose, osimage=wanted.osimage)
    try:
        return Alternatives(wanted.purpose, wanted.osimage, cluster=lending.choose(pool, kind, now).name)
    except (NoVacantCluster, NoSuchClusterKind):
        return Alternatives(wanted.purpose, wanted.osimage, place=hold_queue.place_for(pool, now, kind))
