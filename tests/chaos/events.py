"""Faults, one after the other, in an order that the seed decides."""

import random
import threading
import time
from collections.abc import Callable
from pathlib import Path

from tests.kube.apiserver import ControlPlane
from tests.kube.faults import FaultyServer
from tests.replica import Replica

_FATES = ("lose_before", "lose_after", "conflict_after", "unavailable", "late")
_BETWEEN_FATES = 6  # writes that pass between two faults, so that the service makes progress


class Events:
    """Breaks replicas, network and store until it is stopped; runs in a thread of its own."""

    def __init__(
        self,
        plane: ControlPlane,
        replicas: list[Replica],
        networks: list[FaultyServer],
        clock: Path,
        deadline: float,
        seed: int,
    ) -> None:
        """`clock` is the file with the seconds by which the clock of the last replica is ahead."""
        self._plane, self._replicas, self._networks, self._clock = plane, replicas, networks, clock
        self._deadline = deadline
        self._random = random.Random(seed)
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="events")
        self.seen: list[str] = []
        self.store_back: list[float] = []  # moments (monotonic) at which the API server was back
        self.error: BaseException | None = None

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()

    def stop(self) -> None:
        """Repair the last fault, and end the thread."""
        self._stop.set()
        self._thread.join()
        if self.error:
            raise self.error

    def _run(self) -> None:
        try:
            while not self._stop.is_set():
                happening = [
                    self._kill_replica,
                    self._pause_replica,
                    self._kill_api_server,
                    self._restart_api_server,
                    self._restart_etcd,
                    self._cut_network,
                    self._pause_api_server,
                    self._set_clock_wrong,
                ]
                self._random.shuffle(happening)
                for happen in happening:
                    self._disturb_writes()
                    if self._stop.is_set():
                        return
                    self.seen.append(happen.__name__.strip("_").replace("_", " "))
                    happen()
        except BaseException as error:  # `stop` raises it in the thread of the test
            self.error = error

    def _disturb_writes(self) -> None:
        """Lose, delay or falsely answer some writes, for a second or two."""
        until = time.monotonic() + self._random.uniform(1.0, 2.0)
        while time.monotonic() < until and not self._stop.wait(0.15):
            network = self._random.choice(self._networks)
            network.release_late()
            if not network.script:
                network.script.extend([self._random.choice(_FATES), *["none"] * _BETWEEN_FATES])

    def _kill_replica(self) -> None:
        replica = self._random.choice(self._replicas)
        replica.server.crash()
        self._stop.wait(self._random.uniform(0.0, 1.0))
        replica.start()

    def _pause_replica(self) -> None:
        replica = self._random.choice(self._replicas)
        with replica.stopped():
            self._stop.wait(self._deadline + 1.0)

    def _kill_api_server(self) -> None:
        self._plane.kill_apiserver()
        self._bring_back()

    def _restart_api_server(self) -> None:
        self._plane.stop_apiserver()
        self._bring_back()

    def _restart_etcd(self) -> None:
        self._plane.stop_etcd()
        self._stop.wait(self._random.uniform(0.0, 2.0))
        self._plane.start_etcd()
        self._bring_back()

    def _bring_back(self) -> None:
        self._plane.start_apiserver()
        self.store_back.append(time.monotonic())

    def _pause_api_server(self) -> None:
        self._plane.pause_apiserver()
        self._stop.wait(self._random.uniform(0.5, 3.0))
        self._plane.resume_apiserver()
        self.store_back.append(time.monotonic())

    def _cut_network(self) -> None:
        network = self._random.choice(self._networks)
        network.down = True
        self._stop.wait(self._random.uniform(0.5, 3.0))
        network.down = False

    def _set_clock_wrong(self) -> None:
        """Set a replica's clock off by an hour: the replica must expire nothing, and report that."""
        replica, right = self._replicas[-1], self._clock.read_text()
        self._set_clock("3600")
        _until(lambda: replica.get("/readyz").json()["clock"] != "ok", self._stop)
        self._set_clock(right)
        _until(lambda: replica.get("/readyz").json()["clock"] == "ok", self._stop)

    def _set_clock(self, seconds: str) -> None:
        changed = self._clock.with_suffix(".new")
        changed.write_text(seconds)
        changed.replace(self._clock)  # the replica never reads a half-written file


def _until(check: Callable[[], bool], stop: threading.Event) -> None:
    while not check() and not stop.wait(0.1):
        pass
