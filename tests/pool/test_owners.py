"""Verified owners: none ends, renews or removes what belongs to another, and none sees another's ids."""

import json
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta

import pytest

from cimaster.common.times import format_time
from cimaster.errors import LeaseOver, NotAllowed, NotCurrent, NotOwner, NoVacantCluster, RequestOver
from cimaster.pool import (
    UNVERIFIED,
    Answer,
    Caller,
    ClusterFacts,
    Criteria,
    FinishRequest,
    HoldTerms,
    Pool,
    Request,
    WaitTerms,
    add,
    cancel,
    codec,
    finish,
    hold,
    hold_or_wait,
    leave,
    once,
    renew,
    take,
    take_or_wait,
)
from cimaster.pool.decisions import provisioning
from cimaster.pool.decisions.forgetting import FORGOTTEN, Person, forget
from cimaster.pool.decisions.provisioning import CreationRequest
from cimaster.pool.records import owners
from cimaster.pool.records.cluster import Cluster
from cimaster.pool.records.history import Entry
from cimaster.pool.records.ticket import Ticket
from tests.pool.test_queueing import CONNECTED, NOW, after, free, occupied, pool_of

E2E, NIGHTLY = "@system:serviceaccount:ci:e2e", "@nightly"
JOB, OTHER, ROOT = Caller(E2E), Caller(NIGHTLY), Caller("@root", is_admin=True)
OPEN = Caller("0123456789ab")  # the hash of an address
HOUR = timedelta(hours=1)
ENDS: dict[str, Callable[[Pool, Caller], tuple[Pool, Answer]]] = {
    "lease": lambda pool, caller: finish(pool, NOW, FinishRequest("a", "l-1"), caller=caller),
    "job": lambda pool, caller: finish(pool, NOW, FinishRequest("a", job="e2e"), caller=caller),
    "build": lambda pool, caller: finish(pool, NOW, FinishRequest("a", build="1"), caller=caller),
    "renew": lambda pool, caller: renew(pool, NOW, "a", "l-1", HOUR, caller),
}


def request(identity: str, owner: str, verb: str = "getvacant") -> Request:
    return Request(identity, "h", verb, owner)


def lent(owner: str = E2E, identity: str = "r-1") -> Pool:
    """Return a pool whose only cluster an owner has taken."""
    return take(pool_of("a"), NOW, Criteria("e2e", "1"), "l-1", request(identity, owner), owner=owner)[0]


def wait(pool: Pool, owner: str, identity: str = "r-1", build: str = "1") -> tuple[Pool, Answer]:
    """Take a cluster or wait, under a request id."""
    terms = WaitTerms(HOUR, connected_for=CONNECTED, owner=owner)
    return take_or_wait(pool, NOW, Criteria("e2e", build), f"l-{owner}", terms, request(identity, owner))


def poll(pool: Pool, owner: str) -> tuple[Pool, Answer]:
    """Take a cluster as a legacy script that polls, in the same words for every owner."""
    return take_or_wait(pool, NOW, Criteria("old", "1"), f"l-{owner}", WaitTerms(owner=owner))


def hold_when_free(pool: Pool, by: str, owner: str) -> tuple[Pool, str]:
    """Have a person wait for a cluster; return the id of the ticket."""
    pool, answer = hold_or_wait(pool, NOW, Criteria("", "", by), by, HoldTerms(), HOUR, owner)
    return pool, answer.ticket


def stored_again(pool: Pool) -> Pool:
    """Return a pool as another replica reads it."""
    return codec.decode(codec.encode(pool, NOW)[1], pool.commit, pool.rules)


# --- leases ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("end", ENDS)
def test_only_its_owner_or_an_admin_ends_or_renews_a_lease(end: str) -> None:
    pool = stored_again(lent())
    with pytest.raises(NotOwner, match=r"belongs to e2e\.ci: ask e2e\.ci or an admin to (finish|renew) it") as refused:
        ENDS[end](pool, OTHER)
    assert refused.value.facts == {"owner": "e2e.ci"}
    for caller in (JOB, ROOT):
        assert ENDS[end](pool, caller)[0] is not pool


@pytest.mark.parametrize("end", ENDS)
@pytest.mark.parametrize("owner", ["", OPEN.owner])
def test_a_lease_without_a_verified_owner_is_ended_by_any_caller(end: str, owner: str) -> None:
    pool = stored_again(lent(owner))
    for caller in (JOB, OTHER, ROOT, OPEN, UNVERIFIED):
        assert ENDS[end](pool, caller)[0] is not pool


@pytest.mark.parametrize("end", ENDS)
def test_in_open_mode_a_lease_with_an_owner_is_ended_by_any_caller(end: str) -> None:
    pool = lent()
    assert ENDS[end](pool, OPEN)[0] is not pool


def test_an_unfenced_finish_ends_only_the_owners_own_lease() -> None:
    pool = lent()
    same, answer = finish(pool, NOW, FinishRequest("a"), caller=OTHER)
    assert same is pool
    assert answer.text == "cluster a was already finished; its current lease belongs to another caller"
    assert not answer.lease
    for caller in (JOB, ROOT):
        ended, answer = finish(pool, NOW, FinishRequest("a"), caller=caller)
        assert (answer.text, ended.find("a").lease) == ("cluster a is finished", None)


def test_a_late_finish_succeeds_when_another_owner_has_the_cluster() -> None:
    pool = ENDS["lease"](lent(), JOB)[0]
    pool, _ = take(pool, NOW, Criteria("e2e", "2"), "l-2", owner=NIGHTLY)
    same, answer = ENDS["lease"](pool, JOB)
    assert (same, answer.text) == (pool, "cluster a was already finished")
    with pytest.raises(LeaseOver):
        ENDS["renew"](pool, JOB)


def test_every_take_of_a_verified_owner_stores_it() -> None:
    pool, _ = take(pool_of("a"), NOW, Criteria("e2e", "1"), "l-1", owner=E2E)
    assert pool.find("a").fields["leaseOwner"] == E2E
    polled, _ = poll(pool_of("a"), NIGHTLY)
    assert polled.find("a").fields["leaseOwner"] == NIGHTLY


def test_in_open_mode_a_lease_is_stored_as_before() -> None:
    pool, _ = take(pool_of("a"), NOW, Criteria("e2e", "1"), "l-1", owner=OPEN.owner)
    assert "leaseOwner" not in pool.find("a").fields
    assert lent(OPEN.owner).find("a").fields["leaseOwner"] == OPEN.owner


# --- request ids -----------------------------------------------------------------------------------------------------


def test_two_owners_take_clusters_under_one_request_id() -> None:
    pool = pool_of("a", "b")
    for owner, name in ((E2E, "a"), (NIGHTLY, "b"), (OPEN.owner, "a")):
        if owner == OPEN.owner:
            pool, _ = add(pool, NOW, "c", "root", ClusterFacts("us"))
            name = "c"
        pool, answer = take(stored_again(pool), NOW, Criteria("e2e", owner), f"l{owner}", request("r", owner))
        assert (answer.text, answer.repeated) == (name, False)
    assert [cluster.fields["requestId"] for cluster in pool.clusters] == ["r", "r", "r"]
    _, again = take(stored_again(pool), NOW, Criteria("e2e", NIGHTLY), "l", request("r", NIGHTLY))
    assert (again.text, again.repeated) == ("b", True)


@pytest.mark.parametrize("forgotten", [False, True])
def test_a_take_that_is_over_is_over_only_for_its_owner(forgotten: bool) -> None:
    pool = ENDS["lease"](lent(), JOB)[0]
    if forgotten:  # then only the record of the cluster remembers it
        pool = Pool().with_clusters(pool.clusters, ())
    pool = stored_again(pool)
    with pytest.raises(RequestOver, match="request_id r-1 was granted"):
        take(pool, NOW, Criteria("e2e", "1"), "l-2", request("r-1", E2E))
    assert take(pool, NOW, Criteria("e2e", "1"), "l-2", request("r-1", NIGHTLY))[1].text == "a"


def hold_once(pool: Pool, owner: str, name: str) -> tuple[Pool, Answer]:
    """Hold a cluster under the request id that all owners use."""
    return once(pool, NOW, request("r", owner, "holdcluster"), lambda: hold(pool, NOW, name, "ann"))


def test_a_change_is_carried_out_once_for_each_owner() -> None:
    pool = pool_of("a", "b")
    for owner, name in ((E2E, "a"), (NIGHTLY, "b")):
        pool, answer = hold_once(pool, owner, name)
        assert (answer.cluster and answer.cluster.name, answer.repeated) == (name, False)
    read = stored_again(pool)
    _, answer = once(read, NOW, request("r", E2E, "holdcluster"), lambda: pytest.fail("it was carried out twice"))
    assert (answer.cluster and answer.cluster.name, answer.repeated) == ("a", True)


def test_a_request_of_open_mode_is_recognized_when_owners_are_verified() -> None:
    pool = stored_again(lent(OPEN.owner))
    _, again = take(pool, NOW, Criteria("e2e", "1"), "l-2", request("r-1", E2E))
    assert (again.text, again.repeated) == ("a", True)
    ended = ENDS["lease"](pool, JOB)[0]
    with pytest.raises(RequestOver):
        take(ended, NOW, Criteria("e2e", "1"), "l-2", request("r-1", E2E))


@pytest.mark.parametrize("identity", [f"r-{number}" for number in range(16)])
def test_the_owners_own_request_comes_before_one_of_open_mode(identity: str) -> None:
    """Sixteen ids, because the order of a set differs from id to id, and from process to process."""
    pool = pool_of("a")
    pool, _ = once(pool, NOW, request(identity, OPEN.owner, "holdcluster"), lambda: hold(pool, NOW, "a", "Ann"))
    pool, _ = leave(pool, NOW, identity, caller=JOB)
    with pytest.raises(RequestOver):
        wait(pool, E2E, identity)


@pytest.mark.parametrize("queue", [wait, poll])
def test_two_owners_wait_in_the_same_words(queue: Callable[[Pool, str], tuple[Pool, Answer]]) -> None:
    pool = occupied("a")
    for owner in (E2E, NIGHTLY, E2E):
        pool = stored_again(queue(pool, owner)[0])
    assert [ticket.owner for ticket in pool.queue] == [E2E, NIGHTLY]
    assert len({ticket.id for ticket in pool.queue}) == 2
    assert len({ticket.fields["id"] for ticket in pool.queue}) == 1
    _, refused = queue(free(pool, "a"), NIGHTLY)
    assert refused.refusal
    served, answer = queue(free(pool, "a"), E2E)
    assert (answer.text, [ticket.owner for ticket in served.queue]) == ("a", [NIGHTLY])


def test_a_wait_that_is_over_is_over_only_for_its_owner() -> None:
    pool, _ = wait(wait(occupied("a"), E2E)[0], NIGHTLY)
    terms = WaitTerms(HOUR, connected_for=CONNECTED, owner=E2E)
    pool, late = take_or_wait(pool, after(hours=2), Criteria("e2e", "1"), "l", terms, request("r-1", E2E))
    assert isinstance(late.refusal, NoVacantCluster)
    assert [ticket.owner for ticket in pool.queue] == [NIGHTLY]
    with pytest.raises(NoVacantCluster, match="wait was over"):
        wait(pool, E2E)
    assert wait(pool, NIGHTLY)[1].refusal


# --- the queue -------------------------------------------------------------------------------------------------------


def test_leaving_removes_only_the_callers_own_ticket() -> None:
    pool, _ = wait(wait(occupied("a"), E2E)[0], NIGHTLY)
    left, answer = leave(pool, NOW, "r-1", caller=OTHER)
    assert (answer.text, [ticket.owner for ticket in left.queue]) == ("request r-1 is no longer waiting", [E2E])
    same, answer = leave(left, NOW, "r-1", caller=OTHER)
    assert (same is left, answer.text) == (True, "request r-1 is not waiting")
    with pytest.raises(RequestOver):
        wait(left, NIGHTLY)
    assert wait(left, E2E)[1].refusal


@pytest.mark.parametrize(
    "remove", [leave, lambda pool, now, identity, caller: cancel(pool, now, identity, "x", caller)]
)
def test_another_owners_ticket_is_removed_only_by_an_admin(remove: Callable[..., tuple[Pool, Answer]]) -> None:
    pool, _ = wait(occupied("a"), E2E)
    with pytest.raises(NotOwner, match=r"request r-1 belongs to e2e\.ci: ask e2e\.ci or an admin to remove it"):
        remove(pool, NOW, pool.queue[0].id, caller=OTHER)
    for identity in ("r-1", pool.queue[0].id):
        assert not remove(pool, NOW, identity, caller=ROOT)[0].queue
    with pytest.raises(RequestOver, match="removed from the queue"):
        wait(remove(pool, NOW, "r-1", caller=ROOT)[0], E2E)


def test_an_admin_names_the_owner_if_two_sent_the_same_request_id() -> None:
    pool, _ = wait(wait(occupied("a"), E2E)[0], NIGHTLY)
    with pytest.raises(NotCurrent, match="2 callers sent request_id r-1: send one of 'r-1 @nightly', 'r-1 @system"):
        leave(pool, NOW, "r-1", caller=ROOT)
    left, _ = leave(pool, NOW, "r-1 @nightly", caller=ROOT)
    assert [ticket.owner for ticket in left.queue] == [E2E]


def test_an_admin_removes_a_request_that_arrived_after_a_first_try() -> None:
    pool, answer = leave(occupied("a"), NOW, "r-1", caller=ROOT)
    assert answer.text == "request r-1 is not waiting"
    pool, _ = wait(pool, E2E)
    assert not leave(pool, NOW, "r-1", caller=ROOT)[0].queue


def test_an_admin_with_a_ticket_of_that_id_removes_its_own() -> None:
    pool, _ = wait(wait(occupied("a"), E2E)[0], ROOT.owner)
    left, _ = leave(pool, NOW, "r-1", caller=ROOT)
    assert [ticket.owner for ticket in left.queue] == [E2E]


def test_a_cluster_just_served_is_given_back_only_for_its_owner() -> None:
    pool = stored_again(lent())
    same, answer = leave(pool, NOW, "r-1", caller=OTHER)
    assert (same.find("a").lease, answer.text) == (pool.find("a").lease, "request r-1 is not waiting")
    with pytest.raises(NotOwner):
        leave(pool, NOW, f"r-1 {E2E}", caller=OTHER)
    for caller in (JOB, ROOT):
        _, answer = leave(pool, NOW, "r-1", caller=caller)
        assert answer.text == "request r-1 had just been given a, which is given back"


def test_any_caller_removes_a_ticket_of_open_mode() -> None:
    pool, _ = wait(occupied("a"), OPEN.owner)
    for caller in (JOB, ROOT, OPEN):
        assert not leave(stored_again(pool), NOW, "r-1", caller=caller)[0].queue


@pytest.mark.parametrize(("caller", "may"), [(Caller("@ann"), True), (JOB, False), (OTHER, True), (ROOT, True)])
def test_a_hold_ticket_is_also_cancelled_by_the_person_it_is_for(caller: Caller, may: bool) -> None:
    pool, ticket = hold_when_free(occupied("a"), "Ann", NIGHTLY)
    pool = stored_again(pool)
    if may:
        assert not cancel(pool, NOW, ticket, "x", caller)[0].queue
        return
    with pytest.raises(NotOwner):
        cancel(pool, NOW, ticket, "x", caller)


def test_an_admin_and_a_person_make_one_hold_ticket_of_a_kind() -> None:
    pool, first = hold_when_free(occupied("a"), "Ann", "@root")
    pool, second = hold_when_free(stored_again(pool), "Ann", "@ann")
    assert (first, len(pool.queue)) == (second, 1)


# --- creations -------------------------------------------------------------------------------------------------------


def created(owner: str) -> Pool:
    """Return a pool in which an owner's creation has failed."""
    wanted = CreationRequest("tess-ci", "ann", "master", "e2e", owner=owner)
    pool, _ = provisioning.create(Pool(), NOW, wanted, "c-1")
    return pool.with_creations((pool.creations[0].failed(NOW, "job", "no quota"),))


@pytest.mark.parametrize("change", [provisioning.retry, provisioning.dismiss])
def test_another_owners_creation_is_changed_only_by_an_admin(change: Callable[..., tuple[Pool, Answer]]) -> None:
    with pytest.raises(NotOwner, match=r"creation c-1 belongs to e2e\.ci: ask e2e\.ci or an admin to \w+ it"):
        change(created(E2E), NOW, "c-1", "bob", OTHER)
    for owner, caller in ((E2E, JOB), (E2E, ROOT), (OPEN.owner, OTHER), ("", OTHER), (E2E, OPEN)):
        assert change(created(owner), NOW, "c-1", "bob", caller)[1].text.startswith("creation c-1 is ")


PROVISIONER = Caller("@tess-provisioner", adds_only_requested=True)


def test_a_provisioner_adds_only_what_a_creation_asked_for() -> None:
    pool = created(E2E)
    with pytest.raises(NotAllowed, match="adds only clusters that a creation asked for"):
        add(pool, NOW, "a", "tess-provisioner", ClusterFacts("us"), caller=PROVISIONER)
    pool, _ = add(pool, NOW, "a", "tess-provisioner", ClusterFacts("us"), "c-1", PROVISIONER)
    assert pool.creations[0].cluster == "a"
    for creation in ("c-1", ""):
        again, answer = add(pool, NOW, "a", "tess-provisioner", ClusterFacts("us"), creation, PROVISIONER)
        assert (again is pool, answer.repeated) == (True, True)
    with pytest.raises(NotAllowed):
        add(pool, NOW, "b", "tess-provisioner", ClusterFacts("us"), "c-1", PROVISIONER)


def test_a_provisioner_adds_what_an_open_creation_of_its_name_asked_for() -> None:
    wanted = CreationRequest("tess-ci", "tess-provisioner", "master", "e2e")
    pool, _ = provisioning.create(Pool(), NOW, wanted, "c-1")
    pool, _ = add(pool, NOW, "a", "tess-provisioner", ClusterFacts("us"), caller=PROVISIONER)
    assert pool.creations[0].cluster == "a"


# --- what callers see ------------------------------------------------------------------------------------------------

IDS = {"leaseId": "l-1", "requestId": "r-1", "requestHash": "h"}


def seen(pool: Pool, caller: Caller) -> dict[str, object]:
    shown: dict[str, object] = json.loads(pool.find("a").described(caller, message="m"))
    return {key: value for key, value in shown.items() if key in (*IDS, "leaseOwner")}


def test_the_ids_of_a_lease_are_shown_to_its_owner_and_to_admins() -> None:
    pool = stored_again(lent())
    assert seen(pool, JOB) == seen(pool, ROOT) == {**IDS, "leaseOwner": E2E}
    assert seen(pool, OTHER) == {}
    assert "l-1" not in pool.find("a").described(OTHER)


def test_the_ids_of_a_lease_without_an_owner_are_shown_to_admins() -> None:
    pool = stored_again(lent(OPEN.owner))
    assert seen(pool, ROOT) == IDS
    assert seen(pool, JOB) == {}


def test_in_open_mode_all_callers_see_the_ids() -> None:
    assert seen(lent(OPEN.owner), OPEN) == seen(lent(OPEN.owner), UNVERIFIED) == IDS


def test_ids_of_ended_leases_in_data_of_before_are_hidden() -> None:
    ended = {"id": "l-0", "request": "r-0", "job": "e2e", "build": "0", "how": "finished", "at": format_time(NOW)}
    cluster = Cluster.new({"name": "a", "status": "finished", "endedLeases": [ended]})
    assert json.loads(cluster.described(JOB))["endedLeases"] == [{"how": "finished", "at": format_time(NOW)}]
    assert "l-0" in cluster.described(ROOT)


@pytest.mark.parametrize("text", ['{"name": "a", "status": "odd", "leaseId": "l-1"}', '"l-1"'])
def test_the_content_of_a_broken_record_is_shown_to_admins_only(text: str) -> None:
    broken = Cluster(text, json.loads(text))
    assert "l-1" in broken.described(ROOT)
    assert "l-1" in broken.described(UNVERIFIED)
    assert json.loads(broken.described(JOB)).keys() == {"name", "state", "fault"}
    ticket = Ticket.parse('{"x": "r-1"}', {"x": "r-1"})
    assert "record" in ticket.described(ROOT, 1, NOW)
    assert ticket.described(JOB, 1, NOW).keys() == {"id", "fault"}


def test_the_id_of_a_ticket_is_shown_to_its_owner_and_to_admins() -> None:
    pool, _ = wait(occupied("a"), E2E)
    (ticket,) = stored_again(pool).queue
    for caller in (JOB, ROOT):
        shown = ticket.described(caller, 1, NOW)
        assert (shown["id"], shown["owner"]) == ("r-1", E2E)
    assert ticket.described(OTHER, 1, NOW).keys().isdisjoint({"id", "owner", "hash"})


def test_a_person_sees_the_id_of_the_hold_ticket_that_an_admin_made() -> None:
    pool, ticket = hold_when_free(occupied("a"), "Ann", "@root")
    assert pool.queue[0].described(Caller("@ann"), 1, NOW)["id"] == ticket
    assert "id" not in pool.queue[0].described(JOB, 1, NOW)


# --- names -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "label"),
    [
        ("Alice", "alice"),
        ("system:serviceaccount:ci:E2E", "e2e.ci"),
        ("system:serviceaccount:ci", "system:serviceaccount:ci"),
    ],
)
def test_sentences_name_an_owner_briefly(name: str, label: str) -> None:
    assert owners.is_verified(owners.of_name(name))
    assert owners.label(owners.of_name(name)) == label


def test_a_scoped_id_is_shown_as_it_was_sent() -> None:
    assert owners.shown(owners.scoped("r-1", "@ann lee")) == owners.shown(owners.scoped("r-1", "")) == "r-1"
    assert owners.scoped("", "@ann") == ""


def test_a_person_that_owns_a_lease_or_a_ticket_is_not_forgotten() -> None:
    for pool in (lent("@ann"), wait(occupied("a"), "@ann")[0]):
        with pytest.raises(Exception, match="ann cannot be forgotten yet"):
            forget(pool, NOW, Person("ann"))


def test_a_person_is_forgotten_as_the_owner_of_a_creation() -> None:
    wanted = CreationRequest("tess-ci", "bob", "master", "e2e", owner="@ann")
    pool, _ = provisioning.create(Pool(), NOW, wanted, "c-1")
    pool = pool.with_creations((pool.creations[0].failed(NOW, "job", "no quota"),))
    forgotten, _ = forget(pool, NOW, Person("Ann"))
    assert forgotten.creations[0].owner == FORGOTTEN


def test_a_forgotten_caller_leaves_no_address_behind() -> None:
    history = tuple(
        Entry.of("released", "a", NOW, 1).edited({"caller": name, "via": "session from 192.0.2.7"})
        for name in ("Ann", "bob")
    )
    forgotten, _ = forget(replace(Pool(), history=history), NOW, Person("ann"))
    assert [(entry.get_text("caller"), entry.get_text("via")) for entry in forgotten.history] == [
        (FORGOTTEN, FORGOTTEN),
        ("bob", "session from 192.0.2.7"),
    ]
