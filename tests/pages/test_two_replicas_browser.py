"""Two people whose browsers talk to different replicas over one ConfigMap."""

from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import expect

from tests.conftest import empty_config_map
from tests.kube.apiserver import ControlPlane
from tests.pages.conftest import AddOne, Visit
from tests.pages.people import Person
from tests.replica import Replica

both = pytest.mark.parametrize("script", [True, False], ids=["script", "no script"])


@pytest.fixture(scope="module")
def replicas(
    control_plane: ControlPlane, kube_access: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[Replica, Replica]]:
    """Two replicas of one service."""
    empty_config_map(control_plane, kube_access)
    folder = tmp_path_factory.mktemp("served")
    environment: dict[str, Any] = {"CIMASTER_STORE": "kubernetes", "CIMASTER_NAMESPACE": kube_access}
    with Replica(folder, "first", **environment) as first, Replica(folder, "second", **environment) as second:
        yield first, second


@pytest.fixture(scope="module")
def replica(replicas: tuple[Replica, Replica]) -> Replica:
    """The replica that people get who are not moved to the other one."""
    return replicas[0]


@pytest.fixture
def second(replicas: tuple[Replica, Replica]) -> str:
    """The address of the other replica. Cookies are sent to it too, as they do not depend on the port."""
    return replicas[1].url


def at(address: str, person: Person) -> Person:
    """Let a person use another replica from now on."""
    person.url = address
    return person


@both
def test_the_slower_of_two_learns_who_was_faster(visit: Visit, added: AddOne, second: str, script: bool) -> None:
    wanted, other = (added(f"race-{number}", purpose="race") for number in (1, 2))
    alice, bob = visit("alice", script), at(second, visit("bob", script))
    for person in (alice, bob):
        person.go(f"/ui/hold?cluster={wanted}&expect=vacant")
    bob.fill(desc="a demo")
    bob.sees(wanted, "yours", "a demo", state="held")
    alice.fill(desc="a run")
    expect(alice.page.get_by_role("alert").filter(has_text=f"{wanted} is already held by bob")).to_be_visible()
    alice.page.get_by_role("button", name=f"Hold {other} instead").click()
    alice.sees(other, "yours", "a run", state="held")
    alice.sees(wanted, "bob", state="held")


@both
def test_a_visitor_sees_the_own_click_on_every_replica(visit: Visit, added: AddOne, second: str, script: bool) -> None:
    wanted, alice = added("moved"), visit("alice", script)
    for address in (second, alice.url, second):
        alice.go()
        alice.press(wanted, "Hold")
        alice.fill(desc="a run")
        alice.sees(wanted, "yours", state="held")
        at(address, alice).go()
        alice.sees(wanted, "yours", "a run", state="held")
        alice.press(wanted, "Release")
        alice.sees(wanted, state="vacant")


def test_a_page_follows_what_happens_on_the_other_replica(visit: Visit, added: AddOne, second: str) -> None:
    wanted = added("followed")
    alice, bob = visit("alice"), at(second, visit("bob"))
    for person in (alice, bob):
        person.go()
    alice.press(wanted, "Hold")
    alice.fill(desc="a run")
    bob.sees(wanted, "alice", "a run", state="held")
    alice.rests()
    alice.press(wanted, "Release")
    bob.sees(wanted, state="vacant")
