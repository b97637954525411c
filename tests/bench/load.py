"""Callers that take and give back in a loop: light enough to share two cores with what they measure.

Each caller speaks HTTP by hand on one kept-alive connection. The commit numbers of the answers show whether a cluster
was ever with two: its tenancies, each from the commit of a take to the commit of its give-back, must not overlap.
"""

import asyncio
import time
from collections import Counter, defaultdict
from dataclasses import dataclass, field
from itertools import pairwise

RETRY_PAUSE = 0.05  # seconds before a caller that was refused asks again


@dataclass
class Figures:
    """What the callers saw; times in seconds."""

    takes: list[float] = field(default_factory=list)
    pairs: int = 0
    refused: Counter[str] = field(default_factory=Counter)
    tenancies: dict[str, list[tuple[int, int]]] = field(default_factory=lambda: defaultdict(list))
    seconds: float = 0.0

    @property
    def rate(self) -> float:
        """Pairs of take and give back per second."""
        return self.pairs / self.seconds if self.seconds else 0.0

    @property
    def doubled(self) -> int:
        """How often a cluster was given to somebody while somebody else had it."""
        ordered = (pairwise(sorted(spans)) for spans in self.tenancies.values())
        return sum(later[0] < earlier[1] for spans in ordered for earlier, later in spans)

    def percentile(self, share: float) -> float:
        """Return the time of a take that `share` of all takes did not pass."""
        ordered = sorted(self.takes)
        return ordered[min(len(ordered) - 1, int(share * len(ordered)))] if ordered else float("nan")


@dataclass
class Answer:
    """A response, as far as callers look at it."""

    status: int
    headers: dict[str, str]
    text: str


class Caller:
    """One kept-alive connection to one replica."""

    def __init__(self, host: str, port: int) -> None:
        self._host, self._port = host, port
        self._reader: asyncio.StreamReader | None = None
        self._writer: asyncio.StreamWriter | None = None

    async def get(self, path: str) -> Answer:
        """Send a GET and read the whole answer; a connection that the server closed is opened again."""
        for _ in range(2):
            if self._writer is None:
                self._reader, self._writer = await asyncio.open_connection(self._host, self._port)
            try:
                self._writer.write(f"GET {path} HTTP/1.1\r\nHost: {self._host}\r\n\r\n".encode())
                return await self._read()
            except (ConnectionError, asyncio.IncompleteReadError):
                self.close()
        raise ConnectionError(f"{self._host}:{self._port} closed the connection twice")

    async def _read(self) -> Answer:
        assert self._reader is not None
        head = (await self._reader.readuntil(b"\r\n\r\n")).decode("latin-1")
        first, *lines = head.split("\r\n")
        headers = {key.lower(): value for key, _, value in (line.partition(": ") for line in lines if line)}
        body = await self._reader.readexactly(int(headers.get("content-length", "0")))
        if headers.get("connection") == "close":
            self.close()
        return Answer(int(first[9:12]), headers, body.decode())

    def close(self) -> None:
        """Close the connection."""
        if self._writer is not None:
            self._writer.close()
        self._reader = self._writer = None


class Load:
    """Callers over some replicas."""

    def __init__(self, ports: list[int], host: str = "127.0.0.1") -> None:
        self._ports, self._host = ports, host
        self._figures = Figures()

    async def pairs(self, callers: int, seconds: float) -> Figures:
        """Let callers take and give back until the time is over; those on their way finish."""
        begun = time.perf_counter()
        await asyncio.gather(*(self._loop(number, begun + seconds) for number in range(callers)))
        self._figures.seconds = time.perf_counter() - begun
        return self._figures

    async def burst(self, callers: int) -> Figures:
        """Let callers take at once, each until it has a cluster, then give all back."""
        begun = time.perf_counter()
        await asyncio.gather(*(self._loop(number, begun) for number in range(callers)))
        self._figures.seconds = time.perf_counter() - begun
        return self._figures

    async def _loop(self, number: int, until: float) -> None:
        caller = Caller(self._host, self._ports[number % len(self._ports)])
        turn = 0
        try:
            while turn == 0 or time.perf_counter() < until:
                await self._pair(caller, number, turn)
                turn += 1
        finally:
            caller.close()

    async def _pair(self, caller: Caller, number: int, turn: int) -> None:
        begun = time.perf_counter()
        answer = await caller.get(f"/getvacant?job=bench-{number}&build={turn}")
        if answer.status != 200:
            self._figures.refused[answer.headers.get("cimaster-code", str(answer.status))] += 1
            await asyncio.sleep(RETRY_PAUSE)
            return
        self._figures.takes.append(time.perf_counter() - begun)
        cluster, lease = answer.text, answer.headers.get("cimaster-lease", "")
        finished = await caller.get(f"/finishtest?cluster={cluster}" + (f"&lease={lease}" if lease else ""))
        if finished.status != 200:
            self._figures.refused["finish " + finished.headers.get("cimaster-code", str(finished.status))] += 1
            return
        span = int(answer.headers["cimaster-commit"]), int(finished.headers["cimaster-commit"])
        self._figures.tenancies[cluster].append(span)
        self._figures.pairs += 1
