"""The writes of the notifier: its claims on channels, and what it has sent."""

import uuid
from datetime import datetime, timedelta

from cimaster.notifiers import DefinedChannels
from cimaster.notifiers.channel import Channel
from cimaster.pool import Answer, Pool
from cimaster.pool.decisions import notice_delivery
from cimaster.pool.decisions.notice_delivery import Round
from cimaster.pool.records.notice import Notice, channel_of
from cimaster.repository.configmap_repository import ConfigMapRepository

DURATION = timedelta(seconds=60)  # of a claim: longer than a round
_SHORTEST = timedelta()


class NoticeClaims:
    """The claims of this process, which other replicas respect. Every method may raise StoreTrouble."""

    def __init__(self, repository: ConfigMapRepository, channels: DefinedChannels) -> None:
        self._repository, self._channels = repository, channels
        self._owner = uuid.uuid4().hex[:12]

    def due(self) -> list[str]:
        """Return the channels whose notices a replica may send now."""
        pool, now = self._repository.snapshot().pool, self._repository.now()
        names = dict.fromkeys(channel_of(each) for notice in pool.outbox.notices for each in notice.destinations)
        return [name for name in names if self._is_due(pool, now, name)]

    def _is_due(self, pool: Pool, now: datetime, name: str) -> bool:
        if not notice_delivery.is_free(pool.outbox.channel(name), now, self._owner):
            return False
        channel = self._channels.current.channels.get(name)
        return channel is None or not _is_held_back(channel, notice_delivery.pending(pool, name), now)

    def claim(self, name: str) -> list[Notice] | None:
        """Claim a channel; return the notices that it has to send, None if another replica sends them."""

        def change(pool: Pool, now: datetime) -> tuple[Pool, Answer]:
            earlier = pool.outbox.channel(name).claimed_by
            if earlier and earlier != self._owner and not self._repository.clock_is_right:
                return pool, Answer("")  # with a wrong clock, the other replica's claim may only seem to have expired
            return notice_delivery.claim(pool, now, name, self._owner, DURATION)

        done = self._repository.update(change, fresh=True)
        if not done.answer.text:
            return None
        pool = self._repository.snapshot(done.commit).pool
        return notice_delivery.pending(pool, name) if pool.outbox.channel(name).claimed_by == self._owner else None

    def record_round(self, name: str, done: Round) -> list[str]:
        """Write what was sent, and release the claim; return the ids of the notices that are given up."""
        decided = self._repository.update(
            lambda pool, now: notice_delivery.record_round(pool, now, name, self._owner, done)
        )
        return decided.answer.text.splitlines()


def waits_since(pool: Pool, channels: DefinedChannels, now: datetime) -> datetime | None:
    """Return since when the oldest notice has waited that should be sent; None if all others are held back."""
    names = {channel_of(each) for notice in pool.outbox.notices for each in notice.destinations}
    defined = channels.current.channels
    waiting = {name: notice_delivery.pending(pool, name) for name in names}
    overdue = [
        notice
        for name, notices in waiting.items()
        if name not in defined or not _is_held_back(defined[name], notices, now)
        for notice in notices
    ]
    return min((notice.at for notice in overdue if notice.at), default=None)


def _is_held_back(channel: Channel, notices: list[Notice], now: datetime) -> bool:
    """Say whether the notices of a channel wait for the end of its quiet hours, or for more of them."""
    if channel.quiet and channel.quiet.contains(now):
        return True
    oldest = min((notice.at for notice in notices if notice.at), default=now)
    return now < oldest + (channel.digest or _SHORTEST)
