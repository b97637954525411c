"""Renews a lease in the background for as long as the command runs."""

import threading
from collections.abc import Callable

from cimaster.cli.client import Client, Lease
from cimaster.cli.errors import ClientError, Refused

_RETRY_SECONDS = 10.0


class Renewal:
    """A thread that renews a lease every `interval` seconds, and calls `lost` once if the lease is over."""

    def __init__(
        self, client: Client, lease: Lease, interval: float, lost: Callable[[str], None], say: Callable[[str], None]
    ) -> None:
        self._client = client.with_timeout(0)  # the thread itself repeats what fails
        self._lease = lease
        self._interval = interval
        self._lost = lost
        self._say = say
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._run, name="renewal", daemon=True)

    def start(self) -> None:
        """Start to renew."""
        self._thread.start()

    def stop(self) -> None:
        """Renew no more; a request that is on its way is not waited for."""
        self._stopped.set()

    def _run(self) -> None:
        pause = self._interval
        while not self._stopped.wait(pause):
            pause = self._interval
            try:
                self._client.renew(self._lease)
            except ClientError as error:
                if self._stopped.is_set():
                    return
                if isinstance(error, Refused) and error.ends_lease:
                    self._lost(str(error))
                    return
                pause = min(self._interval, _RETRY_SECONDS)
                self._say(f"the lease of {self._lease.cluster} could not be renewed: {error}; trying again")
