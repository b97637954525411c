"""The loop that every background thread of both programs runs, so that all of them start, fail and stop alike."""

import logging
import threading

from prometheus_client import Counter

_log = logging.getLogger(__name__)


class Interrupted(Exception):
    """Work ended early because the service is stopping; another replica will do it."""


class BackgroundThread:
    """Calls `work` repeatedly in a thread of its own; subclasses define `work`.

    An exception in `work` is logged and counted in `errors` under the thread's name, and the loop continues.
    """

    pause_after_error = 1.0  # seconds

    def __init__(self, name: str, errors: Counter) -> None:
        self._name = name
        self._errors = errors.labels(name)  # 0 from the start, so that an alert sees the first error as an increase
        self._stopping = threading.Event()
        self._woken = threading.Event()
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)

    def work(self) -> None:
        """Do one round, and wait until the next one is due."""
        raise NotImplementedError

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()

    def stop(self, timeout: float = 5.0) -> None:
        """End the thread after its current round; wait for that at most `timeout` seconds."""
        self._stopping.set()
        self.wake()
        if self.alive:
            self._thread.join(timeout)

    def wake(self) -> None:
        """End a `pause`. A subclass whose `work` waits for anything else ends that wait here too."""
        self._woken.set()

    def pause(self, seconds: float) -> bool:
        """Wait; return True if `wake` or `stop` ended the wait early. Only the thread itself may call it."""
        return self.stopping or self._woken.wait(seconds)

    @property
    def alive(self) -> bool:
        """Whether the thread runs."""
        return self._thread.is_alive()

    @property
    def stopping(self) -> bool:
        """Whether `stop` was called."""
        return self._stopping.is_set()

    @property
    def unfinished(self) -> bool:
        """Whether there is work that must be done even after `stop`."""
        return False

    def _run(self) -> None:
        while not self.stopping or self.unfinished:
            self._woken.clear()
            try:
                self.work()
            except Exception:
                _log.exception("a round of the %s thread failed", self._name)
                self._errors.inc()
                self.pause(self.pause_after_error)
