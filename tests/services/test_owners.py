"""Callers with verified names: what belongs to one is not ended by another, and equal requests do not meet."""

from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from prometheus_client import CollectorRegistry

from cimaster.errors import NotOwner, NoVacantCluster, Queued
from cimaster.observability.metrics import Metrics
from cimaster.pool import Caller, ClusterFacts, Criteria, FinishRequest, Request
from cimaster.repository.configmap_repository import Committed
from cimaster.repository.stores.sqlite import SQLiteStore
from cimaster.services.clusters import Clusters
from cimaster.services.waiting_room import WaitingRoom
from tests import workerless

ANN, BEN, ROOT = Caller("@ann"), Caller("@ben"), Caller("@root", is_admin=True)
WORDS = Criteria("e2e", "1")
HOUR = timedelta(hours=1)


@pytest.fixture
def service(tmp_path: Path) -> Iterator[Clusters]:
    """The operations on a pool with one cluster."""
    with workerless.opened(SQLiteStore(str(tmp_path / "pool.db"), "clusters")) as clusters:
        clusters.add("a", "root", ClusterFacts("us"))
        yield clusters


@pytest.fixture
def room(service: Clusters) -> WaitingRoom:
    """A waiting room that keeps no caller connected, as during a shutdown: each is answered immediately."""
    room = WaitingRoom(service, Metrics(CollectorRegistry()), room=1)
    room.draining = lambda: True
    return room


def owners_in_queue(service: Clusters) -> list[str]:
    return [ticket.owner for ticket in service.view_now().pool.queue]


def test_finish_and_renew_compare_the_owner(service: Clusters) -> None:
    lease = service.take(WORDS, owner=ANN.owner).answer.lease
    fenced, unfenced = FinishRequest("a", lease), FinishRequest("a")
    with pytest.raises(NotOwner):
        service.finish(fenced, caller=BEN)
    with pytest.raises(NotOwner):
        service.renew("a", lease, HOUR, None, BEN)
    assert "belongs to another caller" in service.finish(unfenced, caller=BEN).answer.text
    assert service.renew("a", lease, HOUR, None, ANN).answer.lease == lease
    assert service.finish(unfenced, caller=ANN).answer.lease == lease


def test_a_finish_is_repeated_for_its_owner_only(service: Clusters) -> None:
    lease = service.take(WORDS, owner=ANN.owner).answer.lease
    finish = FinishRequest("a", lease)
    assert not service.finish(finish, Request("r", "h", "finishtest", ANN.owner), ANN).answer.repeated
    assert service.finish(finish, Request("r", "h", "finishtest", ANN.owner), ANN).answer.repeated
    assert not service.finish(finish, Request("r", "h", "finishtest", BEN.owner), BEN).answer.repeated


def test_each_way_to_take_stores_the_owner(service: Clusters, room: WaitingRoom) -> None:
    request = Request("r", "h", "getvacant", ANN.owner)
    takes: list[Callable[[], Committed]] = [
        lambda: room.take(WORDS, None, owner=ANN.owner),
        lambda: room.take_or_nothing(WORDS, None, ANN.owner),
        lambda: room.take_or_wait(WORDS, request, HOUR),
    ]
    for take in takes:
        taken = take().answer
        assert taken.cluster
        assert taken.cluster.fields["leaseOwner"] == ANN.owner
        service.finish(FinishRequest("a", taken.lease), caller=ANN)


def test_legacy_scripts_of_two_owners_poll_in_the_same_words(service: Clusters, room: WaitingRoom) -> None:
    lease = service.take(Criteria("other", "9")).answer.lease
    for caller in (ANN, ANN, BEN, BEN, ANN):
        with pytest.raises(NoVacantCluster):
            room.take(WORDS, None, owner=caller.owner)
    assert owners_in_queue(service) == [ANN.owner, BEN.owner]
    service.finish(FinishRequest("a", lease))
    with pytest.raises(NoVacantCluster):
        room.take(WORDS, None, owner=BEN.owner)
    assert room.take(WORDS, None, owner=ANN.owner).answer.text == "a"


def test_two_owners_wait_and_leave_under_one_request_id(service: Clusters, room: WaitingRoom) -> None:
    service.take(Criteria("other", "9"))
    for caller in (ANN, BEN):
        with pytest.raises(Queued):
            room.take_or_wait(WORDS, Request("r", "h", "getvacant", caller.owner), HOUR)
    assert owners_in_queue(service) == [ANN.owner, BEN.owner]
    service.leave_queue("r", BEN)
    assert owners_in_queue(service) == [ANN.owner]
    with pytest.raises(NotOwner):
        service.cancel_wait(f"r {ANN.owner}", "ben", BEN)
    service.cancel_wait("r", "root", ROOT)
    assert owners_in_queue(service) == []
