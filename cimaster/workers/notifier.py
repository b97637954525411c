"""The thread that sends notices: it claims a channel, so that one replica sends its notices, in order.

Each channel has a thread of its own while it sends, so that a receiver that hangs delays no other channel.
"""

import logging
import threading

from cimaster.common.background_thread import BackgroundThread
from cimaster.common.clock import Clock
from cimaster.errors import StoreTrouble
from cimaster.notifiers import DefinedChannels
from cimaster.notifiers.sending import Sending
from cimaster.observability.metrics import Metrics
from cimaster.pool.decisions.notice_delivery import Round
from cimaster.repository.configmap_repository import ConfigMapRepository
from cimaster.services.notice_claims import NoticeClaims
from cimaster.workers.retries import retry_until_written

_REST = 1.0  # seconds after a round in which changes do not start the next one: there may be dozens per second
_PAUSE = 5.0  # seconds between rounds while the pool does not change
_AFTER_TROUBLE = 1.0  # seconds
_log = logging.getLogger(__name__)


class Notifier(BackgroundThread):
    """Sends the notices that are due. Any number of replicas send each of them at least once, under one key."""

    def __init__(
        self,
        channels: DefinedChannels,
        repository: ConfigMapRepository,
        metrics: Metrics,
        public_url: str = "",
        clock: Clock | None = None,
    ) -> None:
        super().__init__("notifier", metrics.thread_errors)
        self._channels, self._repository, self._metrics = channels, repository, metrics
        self._clock = clock or Clock()
        self._claims = NoticeClaims(repository, channels)
        self._sending = Sending(public_url, repository.now, self._stopping.is_set, self._clock)
        self._threads: dict[str, threading.Thread] = {}

    def stop(self, timeout: float = 25.0) -> None:
        """Finish the messages that are being sent, within `timeout` seconds."""
        ends = self._clock.monotonic() + timeout
        super().stop(timeout)
        for thread in list(self._threads.values()):
            thread.join(max(ends - self._clock.monotonic(), 0.0))

    def wake(self) -> None:
        """Start the next round now."""
        super().wake()
        self._repository.wake_waiters()

    def work(self) -> None:
        """Start the channels that are due, then wait until there may be more to send."""
        seen, pause = self._repository.change_count, _PAUSE
        try:
            self._start_due()
        except StoreTrouble as trouble:
            _log.debug("no notices are sent while the store cannot be used: %s", trouble)
            pause = _AFTER_TROUBLE
        if not self.pause(_REST):
            self._repository.wait_for_change(pause, seen)

    def _start_due(self) -> None:
        for name in self._claims.due():
            if name not in self._threads and not self.stopping:
                thread = threading.Thread(target=self._send_alone, args=(name,), name=f"notices {name}", daemon=True)
                self._threads[name] = thread
                thread.start()

    def _send_alone(self, name: str) -> None:
        """Send the notices of a channel; a failure concerns no other channel."""
        try:
            self._claim_and_send(name)
        except StoreTrouble as trouble:
            _log.warning("channel %s could not be claimed: %s", name, trouble)
        except Exception:
            _log.exception("the notices of channel %s could not be sent", name)
            self._metrics.thread_errors.labels("notifier").inc()
        finally:
            del self._threads[name]

    def _claim_and_send(self, name: str) -> None:
        notices = self._claims.claim(name)
        if notices is None:
            return
        done = self._sending.send(name, self._channels.current, notices)
        retry_until_written(f"what channel {name} has sent", lambda: self._record(name, done), self._stopping)

    def _record(self, name: str, done: Round) -> None:
        given_up = self._claims.record_round(name, done)
        for identity, destinations in done.sent.items():
            _log.info("notice %s is sent", identity, extra={"channel": name})
            self._metrics.notices.labels(name, "delivered").inc(len(destinations))
        for identity in done.dropped:
            _log.warning("notice %s is dropped: its receiver is no longer defined", identity, extra={"channel": name})
        if done.failure:
            _log.warning("channel %s failed: %s", name, done.failure)
            self._metrics.notices.labels(name, "failed").inc()
        for identity in given_up:
            _log.error("notice %s is given up: channel %s has failed for a day", identity, name)
            self._metrics.notices.labels(name, "given_up").inc()
