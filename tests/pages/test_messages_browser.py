"""How long messages stay: some seconds, while the pointer is on them, and never next to a row that contradicts them."""

import re

import pytest
import requests
from playwright.sync_api import Route, expect

from tests.pages.conftest import AddOne, Curl, Visit
from tests.pages.people import AXE, check


@pytest.fixture
def cluster(added: AddOne) -> str:
    """A vacant cluster."""
    return added("cluster-01")


def held(cluster: str) -> re.Pattern[str]:
    """Return the message for a holder."""
    return re.compile(rf"You hold {cluster} until .* UTC \((6 h|5 h 59 min)\)")


@pytest.mark.parametrize("name", ["", "alice"], ids=["first hold of a visitor", "in place"])
def test_a_success_message_disappears(visit: Visit, cluster: str, name: str) -> None:
    alice = visit(name)
    alice.page.clock.install()
    alice.go()
    alice.press(cluster, "Hold")
    alice.fill(**({} if name else {"name": "alice"}))
    alice.page.clock.run_for(1000)
    expect(alice.page.get_by_text(held(cluster))).to_be_visible()
    alice.page.clock.run_for(10_000)
    expect(alice.page.get_by_text(held(cluster))).to_have_count(0)


@pytest.mark.parametrize("name", ["", "alice"], ids=["first hold of a visitor", "in place"])
def test_a_success_message_goes_when_the_row_contradicts_it(visit: Visit, cluster: str, curl: Curl, name: str) -> None:
    alice = visit(name)
    alice.go()
    alice.press(cluster, "Hold")
    alice.fill(**({} if name else {"name": "alice"}))
    message = alice.page.get_by_text(held(cluster))
    expect(message).to_be_visible()
    message.hover()  # so that it does not disappear
    curl("releasecluster", cluster=cluster, name="alice", to="bob")
    alice.sees(cluster, "bob", state="held")
    expect(message).to_have_count(0)


@pytest.mark.parametrize("by", ["mouse", "keyboard"])
def test_a_message_stays_while_it_is_pointed_at_or_has_the_focus(visit: Visit, cluster: str, by: str) -> None:
    alice = visit("alice")
    alice.page.clock.install()
    alice.go()
    alice.press(cluster, "Hold")
    alice.fill()
    message = alice.page.get_by_text(held(cluster))
    if by == "mouse":
        message.hover()
    else:
        alice.page.locator("#toasts").get_by_role("button", name="Dismiss").focus()
    alice.page.clock.run_for(20_000)
    expect(message).to_be_visible()
    alice.page.locator("#toasts").get_by_role("button", name="Dismiss").click()
    expect(message).to_have_count(0)


def test_a_refusal_goes_when_the_row_contradicts_it(visit: Visit, cluster: str, curl: Curl) -> None:
    curl("holdcluster", cluster=cluster, name="alice")
    alice = visit("alice")
    alice.go()
    alice.keeps_state()
    curl("releasecluster", cluster=cluster, name="alice", to="bob")
    alice.press(cluster, "Release")
    refusal = alice.page.get_by_text(f"user alice is not authorized: {cluster} is held by bob")
    expect(refusal).to_be_visible()
    alice.page.unroute_all()
    alice.sees(cluster, "bob", state="held")
    expect(refusal).to_be_visible()
    curl("releasecluster", cluster=cluster, name="bob")
    alice.sees(cluster, state="vacant")
    expect(refusal).to_have_count(0)


@pytest.mark.parametrize("where", ["#alerts", "#form"])
def test_did_not_answer_goes_when_the_service_answers_again(visit: Visit, cluster: str, where: str) -> None:
    alice = visit("alice", listening=False)
    alice.page.clock.install()
    alice.go()
    if where == "#form":
        alice.press(cluster, "Hold")
        expect(alice.page.locator("#form")).to_be_visible()
    alice.gets(lambda route: route.abort(), "**/ui/**")
    if where == "#form":
        alice.fill(desc="a run")
    else:
        alice.press(cluster, "Hold")
    message = alice.page.locator(where).get_by_text("The service did not answer")
    expect(message).to_be_visible()
    alice.page.clock.run_for(20_000)
    expect(message).to_be_visible()
    alice.page.unroute_all()
    with alice.page.expect_response("**/ui/fragments/clusters"):
        alice.page.clock.run_for(3000)
    alice.page.clock.run_for(3000)
    expect(message).to_have_count(0)
    if where == "#form":
        expect(alice.page.locator("#form-desc")).to_have_value("a run")


@pytest.mark.parametrize("script", [True, False], ids=["script", "no script"])
def test_a_hold_is_made_and_released_with_cookies_blocked(visit: Visit, cluster: str, script: bool) -> None:
    dora = visit(script=script)
    dora.page.route("**/*", _without_cookies)
    dora.go()
    dora.press(cluster, "Hold")
    dora.fill(name="dora")
    sentence = "Your browser blocks cookies: the hold is made; to release it you must give your name again"
    expect(dora.page.get_by_text(sentence)).to_be_visible()
    if not script:
        dora.page.get_by_role("link", name="Back to clusters").click()
    dora.sees(cluster, "dora", state="held")
    dora.press(cluster, "Release")
    dora.fill(name="dora")
    if not script:
        dora.page.get_by_role("link", name="Back to clusters").click()
    dora.sees(cluster, state="vacant")


def _without_cookies(route: Route) -> None:
    """Carry out a request as a browser without cookies does."""
    request = route.request
    answer = requests.request(
        request.method,
        request.url,
        headers=request.headers,
        data=request.post_data_buffer,
        allow_redirects=False,
        timeout=60,
    )
    dropped = ("set-cookie", "content-encoding", "transfer-encoding", "content-length", "connection")
    headers = {name: value for name, value in answer.headers.items() if name.lower() not in dropped}
    route.fulfill(status=answer.status_code, headers=headers, body=answer.content)


def test_axe_finds_nothing_on_pages_with_messages(visit: Visit, cluster: str, added: AddOne, curl: Curl) -> None:
    curl("holdcluster", cluster=added("theirs"), name="bob")
    alice = visit("alice")
    alice.page.context.add_init_script(AXE)
    alice.go()
    alice.row("theirs").get_by_role("button", name="More theirs").click()
    expect(alice.page.get_by_text("held by bob: the holder or an admin can release it")).to_be_visible()
    check(alice.page, "a menu with reasons")
    alice.page.keyboard.press("Escape")
    alice.press(cluster, "Hold")
    alice.fill()
    expect(alice.page.get_by_text(held(cluster))).to_be_visible()
    alice.page.locator("#toasts .toast").hover()
    check(alice.page, "a word of success")
    alice.press(cluster, "Extend")
    expect(alice.page.locator("#form")).to_be_visible()
    check(alice.page, "the extension")
