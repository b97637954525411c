"""The thread that sends notices: it claims a channel, so that one replica sends its notices, in order.

Each channel has a thread of its own while it sends, so that a receiver that hangs delays no other channel.
"""

import logging
import threading

from cimaster.common.clock import Clock
from cimaster.errors import StoreTrouble
from cimaster.notifiers import DefinedChannels
from cimaster.notifiers.sending import Sending
from cimaster.observability.metrics import Metrics
from cimaster.pool.decisions.notice_delivery import Round
from cimaster.repository.configmap_repository import ConfigMapRepository
from cimaster.services.notice_claims import NoticeClaims
from cimaster.workers.pool_worker import PoolWorker
from cimaster.workers.retries import retry_until_written

_PAUSE = 5.0  # seconds between rounds while the pool does not change
_log = logging.getLogger(__name__)


class Notifier(PoolWorker):
    """Sends the notices that are due. Any number of replicas send each of them at least once, under one key."""

    stops_within = 25.0

    def __init__(
        self,
        channels: DefinedChannels,
        repository: ConfigMapRepository,
        metrics: Metrics,
        public_url: str = "",
        clock: Clock | None = None,
    ) -> None:
        super().__init__("notifier", repository, metrics, clock)
        self._channels = channels
        self._claims = NoticeClaims(repository, channels)
        self._sending = Sending(public_url, repository.now, self._stopping.is_set, self._clock)
        self._threads: dict[str, threading.Thread] = {}

    def threads(self) -> list[threading.Thread]:
        """Return the threads that send; each ends after the message that it is sending."""
        return list(self._threads.values())

    def act(self) -> float:
        """Start the channels that are due."""
        for name in self._claims.due():
            if name not in self._threads and not self.stopping:
                thread = threading.Thread(target=self._send_alone, args=(name,), name=f"notices {name}", daemon=True)
                self._threads[name] = thread
                thread.start()
        return _PAUSE

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
