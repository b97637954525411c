"""Limits how many calls are under way at the same time, and how many of them one address can cause."""

import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

from cimaster.common import caller_address


class CallSlots:
    """Slots for calls: `in_all` of them, of which `of_one_address` may belong to callers with the same address.

    So callers of one address cannot delay those of others, however many they are.
    """

    def __init__(self, in_all: int, of_one_address: int) -> None:
        self._in_all, self._of_one_address = in_all, of_one_address
        self._taken: Counter[str] = Counter()
        self._changed = threading.Condition()

    @contextmanager
    def slot(self, address: str, longest: float) -> Iterator[bool]:
        """Hold a slot for a block, after waiting for it up to `longest` seconds; yield whether there was one."""
        counted = caller_address.network(address)
        with self._changed:
            free = self._changed.wait_for(lambda: self._is_free(counted), longest)
            if free:
                self._taken[counted] += 1
        try:
            yield free
        finally:
            if free:
                self._give_back(counted)

    def _is_free(self, counted: str) -> bool:
        return self._taken[counted] < self._of_one_address and self._taken.total() < self._in_all

    def _give_back(self, counted: str) -> None:
        with self._changed:
            self._taken[counted] -= 1
            self._taken += Counter()  # drops addresses without a slot
            self._changed.notify_all()
