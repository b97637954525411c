"""The state machine of a fleet with channels: each notice reaches its receivers, and a repeat always has a reason."""

import threading
from collections import defaultdict
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any, cast

from greenlet import getcurrent
from hypothesis import strategies as st
from hypothesis.stateful import initialize, invariant, rule

from cimaster.errors import Problem
from cimaster.notifiers import DefinedChannels, Definitions
from cimaster.notifiers.channel import Channel
from cimaster.notifiers.message import Message, NotDelivered
from cimaster.notifiers.sending import Sending
from cimaster.pool import Answer, Pool
from cimaster.pool.decisions.notice_delivery import GIVEN_UP_AFTER
from cimaster.pool.records.notice import QUARANTINED, Notice
from cimaster.pool.records.outbox import Outbox
from cimaster.repository.pending_changes import Decision
from cimaster.services import notice_claims
from cimaster.workers.retries import retry_until_written
from tests.repository.fleet_machine import ANY, FATES, LATE, Replicas, pick
from tests.repository.fleet_model import Violation
from tests.repository.simulation import PAUSED, Call, Lane, Replica
from tests.repository.stored_truth import APPLIED

ACCEPTED, ANSWER_LOST, DOWN, REFUSED, BUSY = "accepted", "answer lost", "down", "refused", "busy"
ANSWERS: st.SearchStrategy[list[str]] = st.just([]) | st.lists(
    st.sampled_from([ACCEPTED, ANSWER_LOST, DOWN, REFUSED, BUSY]), max_size=3
)
CHANNELS = ("hook", "digest")
ROUND = [APPLIED] * 12  # steps in which a replica claims a channel, sends, and records that
_BUSY_FOR = timedelta(seconds=90)
_CLAIM = notice_claims.DURATION.total_seconds() - 1.0  # the end of a claim is stored in whole seconds
Copy = tuple[str, str]  # a notice's id, and one of its destinations


@dataclass
class Acceptance:
    """A receiver accepted a notice at a moment, under a claim that was requested at another one."""

    accepted_at: float
    claimed_at: float
    answer_lost: bool


@dataclass
class SimulatedReceiver:
    """A receiver; `answers` are its next ones, and after that it accepts everything."""

    name: str
    now: Callable[[], float]
    answers: list[str] = field(default_factory=list)
    accepted: defaultdict[Copy, list[Acceptance]] = field(default_factory=lambda: defaultdict(list))
    claimed_at: float = 0.0
    """When the replica that sends now requested its claim."""

    def receive(self, message: Message) -> None:
        """Accept a message or not."""
        answer = self.answers.pop(0) if self.answers else ACCEPTED
        if answer in (ACCEPTED, ANSWER_LOST):
            acceptance = Acceptance(self.now(), self.claimed_at, answer == ANSWER_LOST)
            for item in message.items:
                self.accepted[item.id, self.name].append(acceptance)
        if answer != ACCEPTED:
            raise NotDelivered(answer, _BUSY_FOR if answer == BUSY else None, refused=answer == REFUSED)


@dataclass(frozen=True, kw_only=True)
class SimulatedChannel(Channel):
    """A channel to such a receiver."""

    receiver: SimulatedReceiver

    def send(self, message: Message) -> None:
        self.receiver.receive(message)


class FixedChannels(DefinedChannels):
    """Channels without a file."""

    def __init__(self, *channels: Channel) -> None:
        super().__init__("")
        self._definitions = Definitions({channel.name: channel for channel in channels})

    @property
    def current(self) -> Definitions:
        return self._definitions


class SteppedStop:
    """Stands for the event that ends a thread: waiting for it lets the search go on with something else."""

    def __init__(self, replica: Replica) -> None:
        self._replica = replica

    def wait(self, _seconds: float) -> bool:
        getcurrent().parent.switch(PAUSED)
        self._replica.watch()  # as the watcher's thread does meanwhile
        return False


class NotifierLane(Lane):
    """The thread of a replica that sends the notices of a channel."""

    def __init__(self, replica: Replica, receiver: SimulatedReceiver, channels: DefinedChannels) -> None:
        super().__init__(replica, self._claim_and_send)
        self.receiver, self._channels = receiver, channels
        self._sending = Sending("", replica.now, lambda: False, replica.clock)

    def _claim_and_send(self) -> None:
        claims, name, requested_at = self.replica.notice_claims, self.receiver.name, self.replica.clock.passed
        with suppress(Problem):
            notices = claims.claim(name) if name in claims.due() else None
            if notices is None:
                return
            getcurrent().parent.switch(PAUSED)
            self.receiver.claimed_at = requested_at
            done = self._sending.send(name, self._channels.current, notices)
            stopping = cast(threading.Event, SteppedStop(self.replica))
            retry_until_written(name, lambda: claims.record_round(name, done), stopping)


class NotifyingReplicas(Replicas):
    """Replicas that send notices, each whenever the search wants it to."""

    @initialize(clusters=st.integers(1, 4), replicas=st.just(3), late=LATE)
    def begin(self, clusters: int, replicas: int, late: str) -> None:
        self.receivers = {name: SimulatedReceiver(name, lambda: self.fleet.clock.passed) for name in CHANNELS}
        digests = {"digest": timedelta(minutes=5)}
        channels = [
            SimulatedChannel(name, receiver=receiver, digest=digests.get(name))
            for name, receiver in self.receivers.items()
        ]
        self.channels = FixedChannels(*channels)
        self.recorded: dict[Copy, Notice] = {}
        self.pending: dict[Copy, Notice] = {}
        self.followed = 0
        super().begin(clusters, replicas, late)

    @rule(on=ANY, then=FATES)
    def cause(self, on: int, then: list[str]) -> None:
        """Record a notice, beside those about the holds and leases of the other rules."""
        identity = f"n{self.count}"
        self._request(
            on, then, lambda service, _: service.repository.update(recording(identity)), [], self._is_recorded
        )

    def _is_recorded(self, call: Call) -> None:
        self._follow_outbox()
        if call.done and (cast(Any, call.result).answer.text, "hook") not in self.recorded:
            raise Violation(f"{call} was answered, but its notice was not recorded")

    @rule(on=ANY, channel=st.sampled_from(CHANNELS), then=st.just(ROUND) | FATES, answers=ANSWERS)
    def notify(self, on: int, channel: str, then: list[str], answers: list[str]) -> None:
        """Start the thread of a channel, or let the one of this replica go on."""
        self.receivers[channel].answers = answers
        lane = self._notifier(pick(self.fleet.replicas, on), channel)
        for fate in then:
            self._advance(lane.replica.committing if lane.pending and not lane.pending.settled else lane, [fate])

    def _notifier(self, replica: Replica, channel: str) -> NotifierLane:
        receiver = self.receivers[channel]
        for lane in self.fleet.lanes:
            if isinstance(lane, NotifierLane) and lane.replica is replica and lane.receiver is receiver:
                return lane
        lane = NotifierLane(replica, receiver, self.channels)
        self.fleet.run(lane)
        return lane

    @invariant()
    def every_answer_is_true(self) -> None:
        super().every_answer_is_true()
        self._follow_outbox()
        self._every_repeat_has_a_reason()

    def _follow_outbox(self) -> None:
        """Compare the outbox of each new state with the one before it, and with what the receivers have."""
        for moment in self.fleet.truth.moments[self.followed :]:
            notices = moment.pool().outbox.notices
            pending = {(notice.id, to): notice for notice in notices for to in notice.destinations}
            if again := (pending.keys() - self.pending.keys()) & self.recorded.keys():
                raise Violation(f"{again} is recorded again")
            for copy in self.pending.keys() - pending.keys():
                self._must_have_ended(copy, self.pending[copy])
            self.recorded |= pending
            self.pending = pending
            self.followed += 1

    def _must_have_ended(self, copy: Copy, notice: Notice) -> None:
        """Check that a copy of a notice that has left the outbox was accepted or may be given up."""
        is_accepted = bool(self.receivers[copy[1]].accepted[copy])
        failed_since = notice.failed_since
        is_old = failed_since is not None and self.fleet.clock() - failed_since >= GIVEN_UP_AFTER
        if not (is_accepted or is_old):
            raise Violation(f"{copy} is lost")

    def _every_repeat_has_a_reason(self) -> None:
        for receiver in self.receivers.values():
            for copy, acceptances in receiver.accepted.items():
                if copy not in self.recorded:
                    raise Violation(f"{copy} was sent, but not recorded")
                *earlier, last = acceptances
                if any(not each.answer_lost and last.accepted_at < each.claimed_at + _CLAIM for each in earlier):
                    raise Violation(f"{copy} was sent again: {acceptances}")

    def end_well(self) -> None:
        super().end_well()
        for receiver in self.receivers.values():
            receiver.answers = []
        for _ in range(4):
            self.fleet.clock.rest(timedelta(hours=1).total_seconds())
            for replica in self.fleet.replicas:
                for channel in CHANNELS:
                    self._notifier(replica, channel)
                    self._must_come_to_rest(self.fleet.replicas)
        self.every_answer_is_true()
        if self.pending:
            raise Violation(f"{self.pending} is never sent")


def recording(identity: str) -> Decision:
    """Return a decision that records a notice."""

    def decide(pool: Pool, now: datetime) -> tuple[Pool, Answer]:
        notice = Notice.new(QUARANTINED, now, identity, {"cluster": "c1"}).addressed(CHANNELS)
        outbox = Outbox((*pool.outbox.notices, notice), pool.outbox.state)
        return replace(pool, outbox=outbox), Answer(identity)

    return decide
