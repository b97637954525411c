"""Start and stop the background threads of a process, in their order."""

from collections.abc import Callable

from cimaster.repository.configmap_repository import ConfigMapRepository
from cimaster.services.waiting_room import WaitingRoom
from cimaster.workers.drain_file import DrainFile
from cimaster.workers.provisioning import ProvisioningWorker
from cimaster.workers.reaper import Reaper


class Lifecycle:
    """The threads behind an application: started in the worker, stopped when it drains."""

    def __init__(
        self,
        repository: ConfigMapRepository,
        reaper: Reaper,
        courier: ProvisioningWorker,
        waiting: WaitingRoom,
        port: int,
    ) -> None:
        self.draining: Callable[[], bool] = lambda: False
        self._repository = repository
        self._reaper = reaper
        self._courier = courier
        self._waiting = waiting
        self._drain_file = DrainFile(port)

    def start(self) -> None:
        """Start the threads; a drain that an earlier process was told of is over."""
        self._drain_file.remove()
        self._repository.start()
        self._reaper.start()
        self._courier.start()
        self._waiting.start()

    def stop(self) -> None:
        """Write what waits, then end the threads."""
        self._waiting.stop()
        self._courier.stop()
        self._reaper.stop()
        self._repository.stop()

    def checks(self) -> dict[str, Callable[[], bool]]:
        """Return what must hold for the replica to be ready."""
        return {
            "threads": lambda: all(
                part.alive for part in (self._repository, self._reaper, self._courier, self._waiting)
            ),
            "store_tried": lambda: self._repository.tried,
            "accepting": lambda: self.accepting,
        }

    @property
    def accepting(self) -> bool:
        """Whether this process goes on: it was not told to drain or to end."""
        return not (self.draining() or self._drain_file.exists())
