"""Reviews of tokens: cached, shared, limited, and renewed without a request that waits or is refused."""

import gc
import json
import logging
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing, contextmanager
from pathlib import Path
from typing import TypeVar

import pytest
import urllib3

from cimaster.errors import IdentityUnavailable
from cimaster.web.identity import service_accounts, token_reviews
from cimaster.web.identity.identity import Identity, Source
from cimaster.web.identity.service_accounts import ServiceAccounts
from tests.conditions import until
from tests.conftest import LeapingClock
from tests.web.identity.made_tokens import token
from tests.web.identity.reviewer import ACCOUNT, Reviewer

HERE = "192.0.2.1"
CALLS, CALLS_OF_ONE_ADDRESS = 8, 2  # under way at the same time
T = TypeVar("T")


@pytest.fixture
def reviewer() -> Iterator[Reviewer]:
    """The API server."""
    with Reviewer() as server:
        yield server


@pytest.fixture
def clock() -> LeapingClock:
    """The clock of the service."""
    return LeapingClock()


@pytest.fixture
def patience(monkeypatch: pytest.MonkeyPatch) -> None:
    """Callers wait as long as a busy machine takes to answer them."""
    monkeypatch.setattr(token_reviews, "_TIMEOUT", urllib3.Timeout(total=60))
    for name in ("_LONGEST_WAIT", "_LONGEST_CALL"):
        monkeypatch.setattr(service_accounts, name, 60.0)


@pytest.fixture
def accounts(patience: None, reviewer: Reviewer, clock: LeapingClock, tmp_path: Path) -> Iterator[ServiceAccounts]:
    """The reviews of the service."""
    with closing(reviewer.client(tmp_path)) as client:
        yield ServiceAccounts(client, clock)


@contextmanager
def waiting(reviewer: Reviewer, review: Callable[[], T]) -> Iterator[Future[T]]:
    """Begin a review in another thread; the block runs while it waits for the API server, which answers at its end."""
    reviewer.open.clear()
    with ThreadPoolExecutor(1) as callers:
        begun = callers.submit(review)
        reviewer.until_under_way(1)
        try:
            yield begun
        finally:
            reviewer.open.set()


def test_an_accepted_token_names_its_account(accounts: ServiceAccounts) -> None:
    sent = token(ends_in=3600)
    identity = accounts.review(sent, HERE)
    assert identity is not None
    assert (identity.name, identity.source, identity.credential) == (ACCOUNT, Source.SERVICE_ACCOUNT, "")
    assert identity.groups == {"system:authenticated"}
    assert identity.expires is not None
    assert identity.expires.timestamp() == pytest.approx(time.time() + 3600, abs=60)
    assert sent not in repr(identity)


def test_no_failed_call_waits_for_the_garbage_collector(accounts: ServiceAccounts, reviewer: Reviewer) -> None:
    reviewer.status = 500
    gc.collect()
    gc.disable()
    try:
        for _ in range(3):
            with pytest.raises(IdentityUnavailable):
                accounts.review(token(), HERE)
        assert [error for error in gc.get_objects() if isinstance(error, IdentityUnavailable)] == []
    finally:
        gc.enable()


def test_an_answer_is_kept_for_a_minute(accounts: ServiceAccounts, reviewer: Reviewer, clock: LeapingClock) -> None:
    good, bad = token(), token("ci:gone")
    reviewer.refused = {bad}
    for _ in range(3):
        assert (bool(accounts.review(good, HERE)), accounts.review(bad, HERE)) == (True, None)
    assert reviewer.calls == {good: 1, bad: 1}
    clock.leapt += 6
    assert (bool(accounts.review(good, HERE)), accounts.review(bad, HERE)) == (True, None)
    assert reviewer.calls == {good: 1, bad: 2}
    clock.leapt += 60
    reviewer.refused = {good}
    assert accounts.review(good, HERE) is None
    assert reviewer.calls[good] == 2


def test_no_answer_is_kept_past_the_end_of_the_token(
    accounts: ServiceAccounts, reviewer: Reviewer, clock: LeapingClock
) -> None:
    sent = token(ends_in=20)
    assert accounts.review(sent, HERE)
    clock.leapt += 21
    assert accounts.review(sent, HERE)
    assert reviewer.calls[sent] == 2


@pytest.mark.parametrize(
    "sent",
    ["", "opaque", "a.b.c", token(aud=["kubernetes"]), token(ends_in=-11), token(sub="alice"), token(pad="x" * 17_000)],
    ids=["empty", "opaque", "no claims", "another audience", "ended", "a person", "too long"],
)
def test_what_cannot_be_an_accounts_token_costs_no_call(
    accounts: ServiceAccounts, reviewer: Reviewer, sent: str
) -> None:
    assert accounts.review(sent, HERE) is None
    assert not reviewer.calls


def test_the_clock_may_be_a_few_seconds_ahead(accounts: ServiceAccounts, reviewer: Reviewer) -> None:
    sent = token(ends_in=-5)
    for calls in (1, 2):
        assert accounts.review(sent, HERE)
        assert reviewer.calls[sent] == calls


def test_concurrent_requests_share_one_call(accounts: ServiceAccounts, reviewer: Reviewer) -> None:
    sent = token()
    begin = threading.Barrier(200)

    def review(number: int) -> Identity | None:
        begin.wait()
        return accounts.review(sent, f"192.0.2.{number}")

    with ThreadPoolExecutor(200) as callers:
        found = set(callers.map(review, range(200)))
    assert len(found) == 1
    assert None not in found
    assert reviewer.calls == {sent: 1}


def test_made_up_tokens_of_one_address_do_not_block_others(accounts: ServiceAccounts, reviewer: Reviewer) -> None:
    reviewer.open.clear()
    own = [token(f"ci:made-up-{number}") for number in range(20)]
    with ThreadPoolExecutor(30) as callers:
        of_one = [callers.submit(accounts.review, each, "2001:db8::1") for each in own[:10]]
        of_one += [callers.submit(accounts.review, each, "2001:db8::2") for each in own[10:]]
        reviewer.until_under_way(CALLS_OF_ONE_ADDRESS)
        addresses = [f"192.0.2.{number}" for number in range(CALLS - CALLS_OF_ONE_ADDRESS)]
        others = [callers.submit(accounts.review, token(f"ci:{each}"), each) for each in addresses]
        reviewer.until_under_way(CALLS)
        assert len(set(own) & set(reviewer.calls)) == CALLS_OF_ONE_ADDRESS
        reviewer.open.set()
        assert all(each.result() for each in others)
        troubles = [each.exception() for each in of_one]
    assert all(isinstance(each, IdentityUnavailable) for each in troubles if each)  # the others had to wait too long
    assert reviewer.most == CALLS


@pytest.mark.parametrize(
    ("status", "body", "logged"),
    [
        (403, b"{}", "may not create tokenreviews"),
        (401, b"{}", "it answered 401"),
        (404, b"{}", "it answered 404"),
        (429, b"{}", "it answered 429"),
        (500, b"{}", "it answered 500"),
        (201, b"<html>", "its answer is no JSON"),
        (201, b"[" * 100_000, "its answer is no JSON"),
    ],
)
def test_an_api_server_that_cannot_answer_is_no_refusal(
    accounts: ServiceAccounts,
    reviewer: Reviewer,
    caplog: pytest.LogCaptureFixture,
    status: int,
    body: bytes,
    logged: str,
) -> None:
    caplog.set_level(logging.DEBUG)
    reviewer.status, reviewer.body = status, body
    sent = token()
    for _ in range(2):
        with pytest.raises(IdentityUnavailable) as refused:
            accounts.review(sent, HERE)
        assert refused.value.retry_after
    assert caplog.text.count(logged) == 1
    reviewer.status, reviewer.body = 201, b""
    assert accounts.review(sent, HERE)
    assert "reviews tokens of service accounts again" in caplog.text
    assert sent not in caplog.text
    assert sent.split(".")[1] not in caplog.text


@pytest.mark.parametrize(
    "body", [b"null", b"[]", b'{"status": 1}', json.dumps({"status": {"authenticated": 1}}).encode()]
)
def test_an_answer_of_another_form_refuses_the_token(
    accounts: ServiceAccounts, reviewer: Reviewer, body: bytes
) -> None:
    reviewer.body = body
    assert accounts.review(token(), HERE) is None


class TestRenewal:
    """In the last seconds of a good answer, one request asks again."""

    @pytest.fixture
    def sent(self, accounts: ServiceAccounts, clock: LeapingClock) -> str:
        """A token whose answer is 50 s old."""
        sent = token()
        assert accounts.review(sent, HERE)
        clock.leapt += 50
        return sent

    def test_others_go_on_with_the_known_answer(
        self, accounts: ServiceAccounts, reviewer: Reviewer, clock: LeapingClock, sent: str
    ) -> None:
        with waiting(reviewer, lambda: accounts.review(sent, HERE)) as renewal:
            assert all(accounts.review(sent, HERE) for _ in range(100))
            assert not renewal.done()
        assert renewal.result()
        clock.leapt += 40  # the first answer is over
        reviewer.status = 500
        assert accounts.review(sent, HERE)
        assert reviewer.calls[sent] == 2

    def test_requests_after_its_end_wait_for_the_renewal(
        self, accounts: ServiceAccounts, reviewer: Reviewer, clock: LeapingClock, sent: str
    ) -> None:
        with waiting(reviewer, lambda: accounts.review(sent, HERE)), ThreadPoolExecutor(1) as callers:
            clock.leapt += 11
            later = callers.submit(accounts.review, sent, HERE)
            assert not later.done()
            reviewer.open.set()
            assert later.result()
        assert reviewer.calls[sent] == 2

    def test_an_account_that_is_gone_is_refused_from_then_on(
        self, accounts: ServiceAccounts, reviewer: Reviewer, sent: str
    ) -> None:
        reviewer.refused = {sent}
        assert accounts.review(sent, HERE) is None
        assert accounts.review(sent, HERE) is None
        assert reviewer.calls[sent] == 2

    def test_without_the_api_server_the_answer_counts_for_its_minute(
        self, accounts: ServiceAccounts, reviewer: Reviewer, clock: LeapingClock, sent: str
    ) -> None:
        reviewer.status = 503
        assert all(accounts.review(sent, HERE) for _ in range(20))
        assert reviewer.calls[sent] == 2
        clock.leapt += 6  # the pause between two attempts is over
        assert all(accounts.review(sent, HERE) for _ in range(20))
        assert reviewer.calls[sent] == 3
        clock.leapt += 5
        with pytest.raises(IdentityUnavailable):
            accounts.review(sent, HERE)
        reviewer.status = 201
        assert accounts.review(sent, HERE)

    def test_an_answer_that_ends_during_a_failed_renewal_is_over(
        self, accounts: ServiceAccounts, reviewer: Reviewer, clock: LeapingClock, sent: str
    ) -> None:
        with waiting(reviewer, lambda: accounts.review(sent, HERE)) as renewal:
            clock.leapt += 11
            reviewer.status = 500
        assert isinstance(renewal.exception(), IdentityUnavailable)

    def test_without_a_free_slot_it_is_left_for_later(
        self, accounts: ServiceAccounts, reviewer: Reviewer, sent: str
    ) -> None:
        reviewer.open.clear()
        with ThreadPoolExecutor(2) as callers:
            for number in range(CALLS_OF_ONE_ADDRESS):
                callers.submit(accounts.review, token(f"ci:e{number}"), HERE)
            reviewer.until_under_way(CALLS_OF_ONE_ADDRESS)
            assert accounts.review(sent, HERE)
            reviewer.open.set()
        assert reviewer.calls[sent] == 1
        assert accounts.review(sent, HERE)
        assert reviewer.calls[sent] == 2


class TestImpatience:
    """How long a caller waits at most."""

    @pytest.fixture
    def patience(self) -> None:
        """The limits of the service."""

    def test_a_caller_waits_for_a_slot_for_two_seconds(self, accounts: ServiceAccounts, reviewer: Reviewer) -> None:
        reviewer.open.clear()
        with ThreadPoolExecutor(3) as callers:
            for number in range(CALLS_OF_ONE_ADDRESS):
                callers.submit(accounts.review, token(f"ci:e{number}"), HERE)
            reviewer.until_under_way(CALLS_OF_ONE_ADDRESS)
            with pytest.raises(IdentityUnavailable) as refused:
                accounts.review(token("ci:third"), HERE)
            reviewer.open.set()
        assert refused.value.retry_after

    def test_a_hanging_api_server_delays_a_caller_for_two_seconds(
        self, accounts: ServiceAccounts, reviewer: Reviewer
    ) -> None:
        begun = time.monotonic()
        with waiting(reviewer, lambda: accounts.review(token(), HERE)) as review:
            until(review.done)
            assert isinstance(review.exception(), IdentityUnavailable)
        assert 1.5 < time.monotonic() - begun < 20
