"""One lock for each name, kept only while a thread holds or awaits it."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager


class NamedLocks:
    """Makes threads that need the same name wait for one another, and no others."""

    def __init__(self) -> None:
        self._locks: dict[str, tuple[threading.Lock, int]] = {}
        self._guard = threading.Lock()

    @contextmanager
    def held(self, name: str) -> Iterator[None]:
        """Hold the lock of that name while the block runs."""
        with self._guard:
            lock, users = self._locks.get(name) or (threading.Lock(), 0)
            self._locks[name] = (lock, users + 1)
        try:
            with lock:
                yield
        finally:
            with self._guard:
                users = self._locks[name][1] - 1
                if users:
                    self._locks[name] = (lock, users)
                else:
                    del self._locks[name]
