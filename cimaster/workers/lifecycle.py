"""Start and stop the background threads of a process in order, and say whether it accepts requests."""

from collections.abc import Callable, Sequence
from typing import Protocol

from cimaster.repository.configmap_repository import ConfigMapRepository
from cimaster.workers.drain_file import DrainFile


class Worker(Protocol):
    """One or more background threads: each BackgroundThread, and the repository with its two."""

    @property
    def alive(self) -> bool:
        """Whether the threads are running."""
        ...

    def start(self) -> None:
        """Start the threads."""
        ...

    def stop(self) -> None:
        """Finish the current work, then stop the threads."""
        ...


class Lifecycle:
    """Starts the repository and then the workers that use it; stops them in reverse order."""

    def __init__(self, repository: ConfigMapRepository, workers: Sequence[Worker], port: int) -> None:
        self.draining: Callable[[], bool] = lambda: False
        self.workers: Sequence[Worker] = (repository, *workers)
        self._repository = repository
        self._drain_file = DrainFile(port)

    def start(self) -> None:
        """Start the threads, and cancel a drain that was requested from an earlier process."""
        self._drain_file.remove()
        for worker in self.workers:
            worker.start()

    def stop(self) -> None:
        """Write the pending changes, then stop the threads."""
        for worker in reversed(self.workers):
            worker.stop()

    def checks(self) -> dict[str, Callable[[], bool]]:
        """Return the conditions for the replica to be ready."""
        return {
            "threads": lambda: all(worker.alive for worker in self.workers),
            "store_tried": lambda: self._repository.tried,
            "accepting": lambda: self.accepting,
        }

    @property
    def accepting(self) -> bool:
        """Whether this process accepts requests: it is neither draining nor shutting down."""
        return not (self.draining() or self._drain_file.exists())
