"""One lock for each name, for as long as somebody wants it."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager


class NamedLocks:
    """Lets those who ask for the same wait for one another, and nobody else."""

    def __init__(self) -> None:
        self._locks: dict[str, tuple[threading.Lock, int]] = {}
        self._guard = threading.Lock()

    @contextmanager
    def held(self, name: str) -> Iterator[None]:
        """Hold the lock of that name while the block runs."""
        with self._guard:
            lock, wanted = self._locks.get(name) or (threading.Lock(), 0)
            self._locks[name] = (lock, wanted + 1)
        try:
            with lock:
                yield
        finally:
            with self._guard:
                wanted = self._locks[name][1] - 1
                if wanted:
                    self._locks[name] = (lock, wanted)
                else:
                    del self._locks[name]
