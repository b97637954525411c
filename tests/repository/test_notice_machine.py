"""Notifiers in any order of steps, faults and crashes: no notice is lost, and each is sent again only for a reason.

As in the other searches, each mutation removes one thing that makes this so, and must be found.
"""

import logging
from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime

import pytest
from hypothesis import Phase, settings
from hypothesis.stateful import run_state_machine_as_test

from cimaster.pool import Answer, Pool
from cimaster.pool.decisions import notice_delivery
from cimaster.pool.decisions.notice_delivery import Round
from cimaster.pool.records.outbox import ChannelState
from tests.repository.fleet_model import Violation
from tests.repository.notice_machine import NotifyingReplicas
from tests.repository.test_state_machine import SEARCH

pytestmark = pytest.mark.slow

_record_round = notice_delivery.record_round


@pytest.fixture(autouse=True)
def _without_logs() -> Iterator[None]:
    """Suppress log lines: thousands of steps lose answers on purpose."""
    logging.disable()
    yield
    logging.disable(logging.NOTSET)


def test_no_notice_is_lost_or_sent_again_without_a_reason() -> None:
    run_state_machine_as_test(NotifyingReplicas, settings=settings(SEARCH, max_examples=300))


def ignore_claims(state: ChannelState, now: datetime, _owner: str) -> bool:
    """Let a replica claim a channel that another one has claimed."""
    return state.next_try is None or now >= state.next_try


def test_the_search_finds_claims_that_are_ignored(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(notice_delivery, "is_free", ignore_claims)
    search()


def remove_all(pool: Pool, now: datetime, channel: str, owner: str, done: Round) -> tuple[Pool, Answer]:
    """Remove all notices of a channel once one is sent, also those that were recorded meanwhile."""
    pending = {notice.id: (channel,) for notice in notice_delivery.pending(pool, channel)}
    return _record_round(pool, now, channel, owner, replace(done, sent=pending) if done.sent else done)


def test_the_search_finds_notices_that_are_dropped(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(notice_delivery, "record_round", remove_all)
    search()


def keep_all(pool: Pool, now: datetime, channel: str, owner: str, done: Round) -> tuple[Pool, Answer]:
    """Remove nothing if a later message of the round failed."""
    return _record_round(pool, now, channel, owner, replace(done, sent={}) if done.failure else done)


def test_the_search_finds_notices_that_are_sent_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(notice_delivery, "record_round", keep_all)
    search()


def search() -> None:
    """Search for a violation, which there must be."""
    with pytest.raises(Violation):
        run_state_machine_as_test(
            NotifyingReplicas, settings=settings(SEARCH, phases=[Phase.generate], max_examples=3000)
        )
