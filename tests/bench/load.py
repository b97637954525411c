"""Callers that take and give back in a loop: light enough to share two cores with the measured service.

Each caller speaks HTTP by hand on one kept-alive connection. The commit numbers of the answers show whether a cluster
was ever with two: its tenancies, each from the commit of a take to the commit of its give-back, must not overlap.
"""

import asyncio
import json
import random
import time
import uuid
from collections import Counter, defaultdict
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

NOBODY_VACANT = "no_vacant_cluster"
_RETRY_PAUSE = 0.05  # seconds before a refused caller retries
_LONGEST = 60.0  # seconds that a caller waits for one answer
_HOLD_TIME = 0.3  # seconds for which a job that arrives at random keeps its cluster


@dataclass
class Figures:
    """What the callers saw; times in seconds."""

    takes: list[float] = field(default_factory=list)
    pairs: int = 0
    refused: Counter[str] = field(default_factory=Counter)
    tenancies: dict[str, list[tuple[int, int]]] = field(default_factory=lambda: defaultdict(list))
    seconds: float = 0.0
    repeated_turns: bool = True
    """Whether callers ran for a while; a burst has no meaningful rate."""

    @property
    def rate(self) -> float:
        """Pairs of take and give back per second."""
        return self.pairs / self.seconds if self.seconds else 0.0

    @property
    def doubled(self) -> int:
        """How often a cluster was lent while another caller had it."""
        ordered = (pairwise(sorted(spans)) for spans in self.tenancies.values())
        return sum(later[0] < earlier[1] for spans in ordered for earlier, later in spans)

    def percentile(self, share: float) -> float:
        """Return the time within which this share of all takes was answered."""
        ordered = sorted(self.takes)
        return ordered[min(len(ordered) - 1, int(share * len(ordered)))] if ordered else float("nan")


@dataclass
class Answer:
    """The parts of a response that callers use; the names of headers are in lower case."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def text(self) -> str:
        """The body."""
        return self.body.decode()

    def json(self) -> Any:
        """Return the body, read as JSON."""
        return json.loads(self.body)


class _Connection(asyncio.Protocol):
    """One answer at a time: asyncio's streams would cost the load generator twice as much."""

    def __init__(self) -> None:
        self.transport: asyncio.Transport | None = None
        self.answer: asyncio.Future[Answer] | None = None
        self._received = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport

    def data_received(self, data: bytes) -> None:
        self._received += data
        head, found, rest = self._received.partition(b"\r\n\r\n")
        if not found or self.answer is None:
            return
        first, *lines = head.decode("latin-1").split("\r\n")
        headers = {key.lower(): value for key, _, value in (line.partition(": ") for line in lines)}
        length = int(headers.get("content-length", "0"))
        if len(rest) < length:
            return
        self._received = rest[length:]
        answer, self.answer = self.answer, None
        if headers.get("connection") == "close" and self.transport:
            self.transport.close()
        if not answer.done():
            answer.set_result(Answer(int(first[9:12]), headers, rest[:length]))

    def connection_lost(self, exc: Exception | None) -> None:
        self.transport = None
        if self.answer and not self.answer.done():
            self.answer.set_exception(ConnectionError("closed before the answer was whole"))


class Caller:
    """One kept-alive connection to one replica, from the loopback address `source` if it is given."""

    def __init__(self, host: str, port: int, source: str = "") -> None:
        self._host, self._port = host, port
        self._source = (source, 0) if source else None
        self._connection: _Connection | None = None

    async def get(self, path: str, *, tries: int = 2, **headers: str) -> Answer:
        """Send a GET and return the answer; a connection that the server closed is opened again for the next try."""
        fields = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
        request = f"GET {path} HTTP/1.1\r\nHost: {self._host}\r\n{fields}\r\n".encode()
        for _ in range(tries - 1):
            try:
                return await self._exchange(request)
            except ConnectionError:
                self.close()
        return await self._exchange(request)

    async def _exchange(self, request: bytes) -> Answer:
        loop = asyncio.get_running_loop()
        if self._connection is None or self._connection.transport is None:
            _, self._connection = await loop.create_connection(
                _Connection, self._host, self._port, local_addr=self._source
            )
        connection = self._connection
        connection.answer = loop.create_future()
        assert connection.transport is not None
        connection.transport.write(request)
        return await asyncio.wait_for(connection.answer, _LONGEST)

    def close(self) -> None:
        """Close the connection."""
        if self._connection is not None and self._connection.transport is not None:
            self._connection.transport.abort()
        self._connection = None


class Load:
    """Callers over some replicas; its figures begin anew with each run."""

    def __init__(self, ports: list[int], host: str = "127.0.0.1") -> None:
        self._ports, self._host = ports, host
        self._figures = Figures()

    async def pairs(self, callers: int, seconds: float) -> Figures:
        """Let callers take and give back until the time is over; those on their way finish."""
        return await self._run(callers, seconds)

    async def waiting(self, callers: int, seconds: float) -> Figures:
        """The same with callers that wait in the queue where none is vacant."""
        return await self._run(callers, seconds, "&wait=10m&request_id=")

    async def at_random(self, rate: float, seconds: float) -> Figures:
        """Let takes come at random, `rate` a second on average; each cluster is kept for a moment and given back."""
        self._figures = Figures(repeated_turns=False)
        idle = [Caller(self._host, port) for port in self._ports for _ in range(2)]
        random.shuffle(idle)
        jobs: list[asyncio.Task[None]] = []
        started = moment = time.perf_counter()
        while (moment := moment + random.expovariate(rate)) < started + seconds:
            await asyncio.sleep(max(moment - time.perf_counter(), 0.0))
            caller = idle.pop(0) if idle else Caller(self._host, self._ports[len(jobs) % len(self._ports)])
            jobs.append(asyncio.create_task(self._one_job(caller, len(jobs), moment, idle)))
        await asyncio.gather(*jobs)
        self._figures.seconds = time.perf_counter() - started
        for caller in idle:
            caller.close()
        return self._figures

    async def _one_job(self, caller: Caller, number: int, came: float, idle: list[Caller]) -> None:
        await self._pair(caller, number, 0, "", came, _HOLD_TIME)
        idle.append(caller)

    async def burst(self, callers: int) -> Figures:
        """Let callers take at the same moment, once each, and give back."""
        return await self._run(callers, 0.0)

    async def _run(self, callers: int, seconds: float, waits: str = "") -> Figures:
        self._figures = Figures(repeated_turns=seconds > 0)
        started = time.perf_counter()
        await asyncio.gather(*(self._loop(number, started + seconds, waits) for number in range(callers)))
        self._figures.seconds = time.perf_counter() - started
        return self._figures

    async def _loop(self, number: int, until: float, waits: str) -> None:
        caller = Caller(self._host, self._ports[number % len(self._ports)])
        turn = 0
        try:
            while turn == 0 or time.perf_counter() < until:
                await self._pair(caller, number, turn, waits and f"{waits}{uuid.uuid4()}")
                turn += 1
        finally:
            caller.close()

    async def _pair(
        self, caller: Caller, number: int, turn: int, waits: str, came: float | None = None, held_for: float = 0.0
    ) -> None:
        started = time.perf_counter() if came is None else came
        answer = await caller.get(f"/getvacant?job=bench-{number}&build={turn}{waits}")
        if answer.status != 200:
            self._figures.refused[answer.headers.get("cimaster-code", str(answer.status))] += 1
            await asyncio.sleep(_RETRY_PAUSE)
            return
        self._figures.takes.append(time.perf_counter() - started)
        cluster, lease = answer.text, answer.headers.get("cimaster-lease", "")
        await asyncio.sleep(held_for)
        if await self._finished(caller, cluster, lease, int(answer.headers["cimaster-commit"])):
            self._figures.pairs += 1

    async def _finished(self, caller: Caller, cluster: str, lease: str, since: int) -> bool:
        """Give back, as often as it takes: a cluster that stays behind would falsify what follows."""
        while True:
            answer = await caller.get(f"/finishtest?cluster={cluster}" + (f"&lease={lease}" if lease else ""))
            if answer.status == 200:
                self._figures.tenancies[cluster].append((since, int(answer.headers["cimaster-commit"])))
                return True
            self._figures.refused["finish " + answer.headers.get("cimaster-code", str(answer.status))] += 1
            await asyncio.sleep(_RETRY_PAUSE)
