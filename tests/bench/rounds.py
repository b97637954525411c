"""Measures several services in turns, so that drifting speed of the machine affects all of them alike.

Each round gives every service every load once, in an order drawn anew; what is reported of a service and a load is the
median of its rounds, and the worst of them where that is what counts.
"""

import asyncio
import random
from collections.abc import Callable, Coroutine, Iterable, Sequence
from dataclasses import dataclass, field
from functools import partial
from statistics import median
from typing import Any

from tests.bench.fleet import Cost, Fleet
from tests.bench.load import NOBODY_VACANT, Figures, Load

AT_RANDOM = (20, 60, 150)  # takes a second
BURSTS = (40, 100)
LOOPS = (1, 8, 32, 100, 200)
_WARM_UP = 1.5  # seconds


@dataclass(frozen=True)
class Kind:
    """One pattern of load."""

    name: str
    run: Callable[[Load, float], Coroutine[Any, Any, Figures]]

    @property
    def is_loop(self) -> bool:
        """Whether the service determines the rate; otherwise the callers do."""
        return self.name.endswith("in a loop")


async def _at_random(rate: int, load: Load, seconds: float) -> Figures:
    return await load.at_random(rate, seconds)


async def _burst(count: int, load: Load, _seconds: float) -> Figures:
    return await load.burst(count)


async def _in_a_loop(count: int, load: Load, seconds: float) -> Figures:
    return await load.pairs(count, seconds)


def kinds(
    at_random: Iterable[int] = AT_RANDOM, bursts: Iterable[int] = BURSTS, loops: Iterable[int] = LOOPS
) -> list[Kind]:
    """Return the loads, those of real users first."""
    return [
        *(Kind(f"{rate} a second at random", partial(_at_random, rate)) for rate in at_random),
        *(Kind(f"burst of {count}", partial(_burst, count)) for count in bursts),
        *(Kind(f"{count} in a loop", partial(_in_a_loop, count)) for count in loops),
    ]


@dataclass(frozen=True)
class Service:
    """A running service as the table names it."""

    name: str
    running: Fleet


@dataclass
class Series:
    """The rounds of one service under one load; times in seconds."""

    service: Service
    kind: Kind
    figures: list[Figures] = field(default_factory=list)
    costs: list[Cost] = field(default_factory=list)

    @property
    def rate(self) -> float:
        """Pairs of take and give back per second."""
        return median(each.rate for each in self.figures)

    def percentile(self, share: float) -> float:
        """Return the median, over the rounds, of the time within which this share of a round's takes was answered."""
        return median(each.percentile(share) for each in self.figures)

    @property
    def slowest(self) -> float:
        """The slowest take of all rounds."""
        return max(max(each.takes, default=float("nan")) for each in self.figures)

    @property
    def none_vacant(self) -> int:
        """Takes that found no vacant cluster, in all rounds."""
        return sum(each.refused[NOBODY_VACANT] for each in self.figures)

    @property
    def refused(self) -> int:
        """Requests that were refused for any other reason, in all rounds."""
        return sum(each.refused.total() for each in self.figures) - self.none_vacant

    @property
    def doubled(self) -> int:
        """Clusters that two jobs had at the same time, in all rounds."""
        return sum(each.doubled for each in self.figures)

    @property
    def cost(self) -> Cost:
        """The cost of all rounds together."""
        return sum(self.costs[1:], self.costs[0])

    @property
    def pairs(self) -> int:
        """The number of pairs in all rounds."""
        return sum(each.pairs for each in self.figures)


def measured(services: Sequence[Service], loads: Sequence[Kind], rounds: int, seconds: float) -> list[Series]:
    """Measure each service under each load, `rounds` times for some seconds."""
    for service in services:
        asyncio.run(Load(service.running.ports).pairs(8, _WARM_UP))
    series = {(kind.name, service.name): Series(service, kind) for kind in loads for service in services}
    for number in range(rounds):
        for kind in loads:
            for service in random.sample(services, len(services)):
                _measure(series[kind.name, service.name], seconds)
        print(f"round {number + 1} of {rounds} is done", flush=True)
    return list(series.values())


def _measure(series: Series, seconds: float) -> None:
    running = series.service.running
    before = running.cost()
    series.figures.append(asyncio.run(series.kind.run(Load(running.ports), seconds)))
    series.costs.append(running.cost().since(before))
