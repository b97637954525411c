"""Send the notices of a channel: which replica sends them, and what follows when they are sent or a channel fails."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from cimaster.pool.records.notice import Notice
from cimaster.pool.records.outbox import ChannelState, Outbox
from cimaster.pool.records.pool import Answer, Pool

GIVEN_UP_AFTER = timedelta(days=1)
_FIRST_PAUSE, _LONGEST_PAUSE = timedelta(seconds=10), timedelta(minutes=10)
_LONGEST_FAILURE = 200
_MOST_TRIES = 1000


@dataclass(frozen=True)
class Round:
    """What a replica has done with the notices of a channel: the destinations reached, by the id of the notice.

    `failure` says why it could not send the others, and `pause` when the receiver wants the next try. `dropped` are
    destinations that no longer exist.
    """

    sent: Mapping[str, tuple[str, ...]]
    dropped: Mapping[str, tuple[str, ...]]
    failure: str = ""
    pause: timedelta | None = None


def pending(pool: Pool, channel: str) -> list[Notice]:
    """Return the notices that a channel still has to send, oldest first."""
    return [notice for notice in pool.outbox.notices if notice.destinations_in(channel)]


def is_free(state: ChannelState, now: datetime, owner: str) -> bool:
    """Say whether a replica may claim a channel now; its own claim, of which it may not know, is no obstacle."""
    is_early = state.next_try is not None and now < state.next_try
    return not is_early and (state.claimed_by == owner or not state.is_claimed(now))


def claim(pool: Pool, now: datetime, channel: str, owner: str, lasts: timedelta) -> tuple[Pool, Answer]:
    """Claim a channel, so that no other replica sends its notices; the answer's text is empty if one does already."""
    state = pool.outbox.channel(channel)
    if not is_free(state, now, owner) or not pending(pool, channel):
        return pool, Answer("")
    claimed = replace(state, claimed_by=owner, claimed_until=now + lasts)
    return _with_channel(pool, channel, claimed), Answer(channel)


def record_round(pool: Pool, now: datetime, channel: str, owner: str, done: Round) -> tuple[Pool, Answer]:
    """Remove what was sent; after a failure, set the next try, and give up what has failed for a day.

    The answer's text has the ids of the notices that are given up, one in each line. What was sent is removed also if
    another replica has the claim now.
    """
    notices = [_without(n, (*done.sent.get(n.id, ()), *done.dropped.get(n.id, ()))) for n in pool.outbox.notices]
    state, given_up = pool.outbox.channel(channel), set[str]()
    if state.claimed_by == owner:
        if done.failure:
            notices = [n.failing(now) if n.destinations_in(channel) else n for n in notices]
            given_up = {n.id for n in notices if n.destinations_in(channel) and _is_given_up(n, state, now)}
            notices = [_without(n, n.destinations_in(channel)) if n.id in given_up else n for n in notices]
        state = _after(state, now, done, len(given_up))
    left = tuple(notice for notice in notices if notice.destinations or notice.fault)
    changed = replace(pool, outbox=Outbox(left, pool.outbox.state))
    return _with_channel(changed, channel, state), Answer("\n".join(sorted(given_up)))


def _without(notice: Notice, destinations: tuple[str, ...]) -> Notice:
    left = [each for each in notice.destinations if each not in destinations]
    return notice if len(left) == len(notice.destinations) else notice.addressed(left)


def _is_given_up(notice: Notice, state: ChannelState, now: datetime) -> bool:
    """Say whether both have failed for a day: the notice may have failed earlier because of another channel."""
    failing_since = (notice.failed_since, state.failed_at)
    return all(since is not None and now - since >= GIVEN_UP_AFTER for since in failing_since)


def _after(state: ChannelState, now: datetime, done: Round, given_up: int) -> ChannelState:
    """Return the state of a channel after a round; the back-off starts anew when a round had no failure."""
    if not (done.sent or done.dropped or done.failure):  # the replica stopped before it tried
        return replace(state, claimed_by="", claimed_until=None)
    counted = given_up + (0 if done.sent else state.given_up)
    if not done.failure:
        return ChannelState(given_up=counted, failure=state.failure if counted else "")
    tries = min(state.tries + 1, _MOST_TRIES)
    pause = done.pause or min(_FIRST_PAUSE * 2 ** min(tries - 1, 10), _LONGEST_PAUSE)
    failure = done.failure[:_LONGEST_FAILURE]
    return ChannelState(
        next_try=now + pause, tries=tries, failure=failure, failed_at=state.failed_at or now, given_up=counted
    )


def _with_channel(pool: Pool, channel: str, state: ChannelState) -> Pool:
    others = {name: each for name, each in pool.outbox.state.channels.items() if name != channel}
    channels = others if state == ChannelState() else {**others, channel: state}
    return replace(pool, outbox=Outbox(pool.outbox.notices, replace(pool.outbox.state, channels=channels)))
