"""Notifiers in any order of steps, faults and crashes: no notice is lost, and each is sent again only for a reason.

Each mutation removes one thing that makes this so. It must be found, in a scenario of its own: a search for it took
minutes at times.
"""

import logging
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import datetime
from typing import Any

import pytest
from hypothesis import settings
from hypothesis.stateful import run_state_machine_as_test

from cimaster.pool import Answer, Pool
from cimaster.pool.decisions import notice_delivery
from cimaster.pool.decisions.notice_delivery import Round
from cimaster.pool.records.outbox import ChannelState
from tests.repository.fleet_model import Violation
from tests.repository.notice_machine import ACCEPTED, DOWN, ROUND, NotifyingReplicas
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


def remove_all(pool: Pool, now: datetime, channel: str, owner: str, done: Round) -> tuple[Pool, Answer]:
    """Remove all notices of a channel once one is sent, also those that were recorded meanwhile."""
    pending = {notice.id: (channel,) for notice in notice_delivery.pending(pool, channel)}
    return _record_round(pool, now, channel, owner, replace(done, sent=pending) if done.sent else done)


def keep_all(pool: Pool, now: datetime, channel: str, owner: str, done: Round) -> tuple[Pool, Answer]:
    """Remove nothing if a later message of the round failed."""
    return _record_round(pool, now, channel, owner, replace(done, sent={}) if done.failure else done)


def two_replicas_send(machine: NotifyingReplicas, steps: int) -> None:
    """One replica is interrupted after some steps, while another one sends."""
    machine.cause(on=0, then=ROUND)
    machine.notify(on=0, channel="hook", then=ROUND[:steps], answers=[])
    machine.notify(on=1, channel="hook", then=ROUND, answers=[])
    machine.notify(on=0, channel="hook", then=ROUND, answers=[])


def recorded_meanwhile(machine: NotifyingReplicas, steps: int) -> None:
    """A notice is recorded while a replica sends another one."""
    machine.cause(on=0, then=ROUND)
    machine.notify(on=0, channel="hook", then=ROUND[:steps], answers=[])
    machine.cause(on=1, then=ROUND)
    machine.notify(on=0, channel="hook", then=ROUND, answers=[])


def second_message_fails(machine: NotifyingReplicas, steps: int) -> None:
    """The receiver accepts the first of two messages, and both are tried again soon."""
    machine.cause(on=0, then=ROUND)
    machine.cause(on=0, then=ROUND)
    machine.notify(on=0, channel="hook", then=ROUND, answers=[ACCEPTED, DOWN])
    machine.time_passes(seconds=10.0 + steps)
    machine.notify(on=0, channel="hook", then=ROUND, answers=[])


Scenario = Callable[[NotifyingReplicas, int], None]


@pytest.mark.parametrize(
    ("name", "mutation", "scenario"),
    [
        ("is_free", ignore_claims, two_replicas_send),
        ("record_round", remove_all, recorded_meanwhile),
        ("record_round", keep_all, second_message_fails),
    ],
)
def test_the_machine_finds_each_mutation(
    monkeypatch: pytest.MonkeyPatch, name: str, mutation: Callable[..., Any], scenario: Scenario
) -> None:
    assert not any(is_violated(scenario, steps) for steps in range(len(ROUND)))
    monkeypatch.setattr(notice_delivery, name, mutation)
    assert any(is_violated(scenario, steps) for steps in range(len(ROUND)))


def is_violated(scenario: Scenario, steps: int) -> bool:
    """Say whether a scenario, of which one part is interrupted after some steps, violates what the machine checks."""
    machine = NotifyingReplicas()
    machine.begin(clusters=1, replicas=3, late="first")
    try:
        scenario(machine, steps)
        machine.every_answer_is_true()
    except Violation:
        return True
    finally:
        for replica in list(machine.fleet.replicas):
            machine.fleet.crash(replica)
    return False
