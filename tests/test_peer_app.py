"""What replicas ask of each other: no more than the API gives to everybody, and nothing that it would refuse."""

import json
import socket
from datetime import timedelta
from typing import Any

import pytest
from werkzeug.test import Client

from cimaster.peer_app import PeerApp
from cimaster.peers import PATH
from cimaster.pool import Ask, Finish, Request, Stay, commands
from cimaster.pool.commands import GiveBack, Take, TakeOrWait
from cimaster.service import Service

HALF_AN_HOUR = timedelta(minutes=30)
TAKE = Take(Ask("e2e", "1", "alice"), "lease-of-alice")


@pytest.fixture
def peer(service: Service) -> Client:
    """Another replica."""
    return Client(PeerApp(service.repository))


def ask(peer: Client, *changes: commands.Command) -> list[dict[str, Any]]:
    answer = peer.post(PATH, json=[commands.to_json(change) for change in changes])
    assert answer.status_code == 200, answer.text
    told: list[dict[str, Any]] = json.loads(answer.text)
    return told


def test_changes_are_carried_out_in_order_and_each_has_its_own_answer(add, peer: Client) -> None:
    add("cluster-01")
    taken, refused, finished = ask(
        peer, TAKE, Take(Ask("e2e", "2"), "lease-of-bob"), GiveBack(Finish("cluster-01", "lease-of-alice"))
    )
    assert (taken["text"], taken["lease"]) == ("cluster-01", "lease-of-alice")
    assert json.loads(taken["record"])["lastTriggerName"] == "alice"
    assert (refused["code"], refused["facts"]["counts"]) == ("no_vacant_cluster", {"occupied": 1})
    assert finished["text"] == "cluster cluster-01 is finished"
    assert taken["commit"] == finished["commit"]


def test_a_take_that_was_carried_out_already_gets_the_same_cluster(add, peer: Client) -> None:
    add("cluster-01", "cluster-02")
    assert ask(peer, TAKE)[0]["text"] == ask(peer, TAKE)[0]["text"] == "cluster-01"


def test_a_take_that_arrives_after_its_sender_granted_it_and_it_ended_is_not_granted_again(
    add, peer: Client, service: Service
) -> None:
    add("cluster-01", "cluster-02")
    granted = service.repository.update(TAKE.repeated()).answer
    service.finish(Finish(granted.text, TAKE.lease_id))
    assert ask(peer, TAKE)[0]["code"] == "too_busy"
    assert service.repository.fresh().pool.counts()["vacant"] == 2


def test_a_change_whose_sender_has_gone_is_not_carried_out(add, peer: Client, service: Service) -> None:
    add("cluster-01")
    ours, theirs = socket.socketpair()
    with ours:
        theirs.close()
        answer = peer.post(PATH, json=[commands.to_json(TAKE)], environ_base={"gunicorn.socket": ours})
    assert answer.status_code == 408
    assert service.repository.fresh().pool.counts()["vacant"] == 1


def test_a_take_that_was_undone_meanwhile_is_not_granted_again_in_secret(add, peer: Client, service: Service) -> None:
    add("cluster-01")
    ask(peer, TAKE)
    service.repository.update(TAKE.undo)
    assert ask(peer, TAKE)[0]["code"] == "too_busy"


@pytest.mark.parametrize(
    "command",
    [
        TAKE,
        Take(
            Ask("e2e", "1", "bob", "tnet-ci", "image", "eu", {"gpu": "yes"}, "c", timedelta(minutes=5)),
            "lease",
            Request("id", "0123", "getvacant"),
            again=True,
        ),
        TakeOrWait(
            Ask("e2e", "1", "bob", ttl=timedelta(minutes=5)),
            "lease",
            Request("id", "0123", "getvacant"),
            stay=Stay(timedelta(minutes=30), "high", timedelta(seconds=24.5)),
        ),
        TakeOrWait(Ask("old", "1"), "lease", stay=Stay(keeps=timedelta(seconds=12))),
        GiveBack(Finish("c", "lease", "job", "build"), Request("id", "0123", "finishtest")),
    ],
)
def test_a_change_is_the_same_when_it_arrives(command: commands.Command) -> None:
    assert commands.from_json(json.loads(json.dumps(commands.to_json(command)))) == command


def test_who_waits_has_a_place_and_then_a_cluster_by_another_replica(add, peer: Client) -> None:
    add("cluster-01")
    first = TakeOrWait(Ask("e2e", "2"), "l-2", Request("r-2", "0", "getvacant"), stay=Stay(HALF_AN_HOUR))
    taken, waits, gone, lent = ask(peer, TAKE, first, GiveBack(Finish("cluster-01", TAKE.lease_id)), first)
    assert (waits["text"], waits["refusal"]["code"], waits["refusal"]["facts"]["place"]) == ("", "queued", 1)
    assert (lent["text"], lent["refusal"], lent["lease"]) == ("cluster-01", None, "l-2")
    assert taken["commit"] == gone["commit"] == lent["commit"]


def test_a_replica_that_knows_of_no_queue_takes_a_wait_for_no_take() -> None:
    told = commands.to_json(TakeOrWait(Ask("e2e", "2"), "l-2", stay=Stay(HALF_AN_HOUR)))
    assert not {"ask", "said", "lease_id"} & set(told)


def change(**edits: Any) -> str:
    """Return a take with some of its words replaced."""
    told = commands.to_json(TAKE)
    return json.dumps([{**told, **{key: value for key, value in edits.items() if key in told},
                        "ask": {**told["ask"], **{k: v for k, v in edits.items() if k in told["ask"]}}}])  # fmt: skip


def waits(**edits: Any) -> str:
    """Return what passes a wait on, with some of its terms replaced."""
    told = commands.to_json(TakeOrWait(TAKE.ask, "lease", Request("id", "0", "getvacant"), stay=Stay(HALF_AN_HOUR)))
    return json.dumps([{**told, "stay": {**told["stay"], **edits}}])


@pytest.mark.parametrize(
    "body",
    [
        waits(wait=90_000), waits(wait="x"), waits(priority="urgent"), waits(connected=61), waits(keeps=1e9),
        waits(more=1), "", "[", "{}", '"x"', "[1]", "[{}]", change(job=""), change(job="x" * 300), change(build="a\nb"),
        change(by="no spaces"), change(purpose="<b>"), change(labels={"k": "v v"}), change(labels=[]), change(ttl=1),
        change(ttl="x"), change(lease_id=""), change(lease_id="x" * 100), change(cluster="c\u0000"),
        change(request={"id": "a b", "hash": "0", "verb": "getvacant"}), change(request=[1]),
        json.dumps([{"said": {"cluster": 5, "lease": "", "job": "", "build": ""}, "request": None}]),
    ],
)  # fmt: skip
def test_what_no_replica_would_pass_on_is_refused_as_a_whole(add, peer: Client, service: Service, body: str) -> None:
    add("cluster-01")
    answer = peer.post(PATH, data=body)
    assert (answer.status_code, answer.content_type) == (400, "application/json")
    assert service.repository.fresh().pool.counts()["vacant"] == 1


def test_pages_and_gets_cannot_pass_changes_on(add, peer: Client) -> None:
    add("cluster-01")
    sent = [commands.to_json(TAKE)]
    assert peer.get(PATH).status_code == 400
    for header in ({"Origin": "https://evil.example"}, {"Sec-Fetch-Site": "cross-site"}):
        assert peer.post(PATH, json=sent, headers=header).status_code == 400
    assert ask(peer, TAKE)[0]["text"] == "cluster-01"
