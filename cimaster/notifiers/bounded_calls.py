"""Limits how long a call takes as a whole; the time-outs of sockets limit only each read, and names have none."""

import threading
from collections.abc import Callable
from datetime import timedelta

from cimaster.common.times import roughly
from cimaster.notifiers.message import NotDelivered


class BoundedCalls:
    """Calls of receivers, each in a thread of its own; a call that does not end in time is left to itself.

    While such a call still runs, the next one of the same channel fails, so that no more threads gather.
    """

    def __init__(self) -> None:
        self._running: dict[str, threading.Thread] = {}

    def run(self, channel: str, act: Callable[[], None], longest: timedelta) -> None:
        """Call `act` for a channel; raise NotDelivered if it takes too long, or what it raises."""
        left = self._running.get(channel)
        if left and left.is_alive():
            raise NotDelivered("an earlier message still hangs")
        errors: list[Exception] = []

        def call() -> None:
            try:
                act()
            except Exception as error:
                errors.append(error)

        thread = self._running[channel] = threading.Thread(target=call, name=f"notice {channel}", daemon=True)
        thread.start()
        thread.join(longest.total_seconds())
        if thread.is_alive():
            raise NotDelivered(f"it gave no answer within {roughly(longest)}")
        if errors:
            raise errors[0]
