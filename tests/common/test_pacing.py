"""Turns of requests: which begin as they come, which wait, and how much one address gets."""

from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from cimaster.common.serving.pacing import PROBES, Pacing

FLOODER, OTHER = "192.0.2.1", "192.0.2.2"
PATH, COST = b"/clusters", 0.004


@dataclass(eq=False)
class Request:
    """A request; its caller hangs up by setting `waits_for_turn`."""

    caller: str = FLOODER
    path: bytes = PATH
    urgent: bool = False
    refused: bool = False
    waits_for_turn: bool = True
    begun: float = 0.0
    may_wait: bool = False
    is_read: bool = False


class Loop:
    """An event loop with a clock of its own."""

    def __init__(self, most_waiting: int = 400) -> None:
        self.pacing: Pacing[Request] = Pacing(most_waiting)
        self.now = 1000.0
        self.running: list[Request] = []

    def arrive(self, request: Request) -> bool:
        """Let a request arrive, and say whether it began."""
        begins = self.pacing.may_begin(request, self.now)
        if begins:
            self.running.append(request)
        elif not self.pacing.add(request):
            raise OverflowError
        return begins

    def answer(self, request: Request) -> None:
        """Let a running request be answered now."""
        self.running.remove(request)
        self.pacing.answered(request, self.now)

    def pass_time(self, seconds: float) -> list[Request]:
        """Let time pass, and return what has begun."""
        self.now += seconds
        begun = list(self.pacing.due(self.now))
        self.running += begun
        return begun

    def serve(self, seconds: float) -> Iterator[Request]:
        """Answer one request after another, each after what it costs, and yield them."""
        ends = self.now + seconds
        while self.now < ends:
            if self.running:
                request = self.running[0]
                self.now += COST
                self.answer(request)
                self.running += self.pacing.due(self.now)
                yield request
            else:
                self.pass_time(max(min(self.pacing.seconds_to_next(self.now), 1.0), 1e-6))


@pytest.fixture
def loop() -> Loop:
    """A loop that has seen another address, which is therefore active."""
    loop = Loop()
    other = Request(OTHER)
    assert loop.arrive(other)
    loop.answer(other)
    return loop


def flood(loop: Loop, count: int = 100, *, is_read: bool = False) -> list[Request]:
    """Let requests of one address arrive together."""
    requests = [Request(is_read=is_read) for _ in range(count)]
    for request in requests:
        loop.arrive(request)
    return requests


def test_an_address_alone_is_never_slowed_down() -> None:
    loop = Loop()
    flood(loop, 1000)
    assert len(loop.running) == 1000


def test_probes_do_not_count_as_another_caller() -> None:
    loop = Loop()
    for path in PROBES:
        loop.arrive(Request(OTHER, path))
    flood(loop)
    assert len(loop.running) == 100 + len(PROBES)


def test_a_caller_recognised_during_its_burst_is_not_another_caller() -> None:
    loop = Loop()
    first = Request()
    loop.arrive(first)
    loop.answer(first)
    loop.pacing.rename(FLOODER, "@ci")
    for _ in range(100):
        assert loop.arrive(Request("@ci"))
    loop.arrive(Request())  # with another credential, which is not yet recognised
    loop.pacing.rename(FLOODER, "@ci")
    assert loop.arrive(Request("@ci"))


def test_a_recognised_caller_is_slowed_down_by_another_at_its_address() -> None:
    loop = Loop()
    loop.arrive(Request())
    loop.pacing.rename(FLOODER, "@ci")
    loop.arrive(Request())  # this one is not
    for _ in range(100):
        loop.arrive(Request("@ci"))
    assert len(loop.running) < 20


def test_an_address_is_slowed_down_while_another_is_active(loop: Loop) -> None:
    flood(loop)
    assert len(loop.running) == 8
    assert loop.arrive(Request(path=b"/queue")) is False
    loop.now += 61
    assert loop.arrive(Request())


def test_requests_of_another_address_begin_as_they_come(loop: Loop) -> None:
    flood(loop)
    assert loop.arrive(Request(OTHER))


def test_a_burst_is_answered_as_fast_as_the_processor_can(loop: Loop) -> None:
    flood(loop, 20)
    started = loop.now
    assert len([request for request in loop.serve(20 * COST - 1e-6) if request.caller == FLOODER]) == 20
    assert loop.now == pytest.approx(started + 20 * COST)


@pytest.mark.parametrize("is_read", [False, True], ids=["changes", "reads"])
def test_a_flood_gets_a_quarter_of_the_time(loop: Loop, is_read: bool) -> None:
    flood(loop, is_read=is_read)
    for _ in loop.serve(0.1 if is_read else 2):  # uses up the allowance
        loop.arrive(Request(is_read=is_read))
    used, started = 0.0, loop.now
    for request in loop.serve(10):
        used += COST * (request.caller == FLOODER)
        other = Request(OTHER)
        assert loop.arrive(other)
        loop.answer(other)
        loop.arrive(Request(is_read=is_read))
    assert used / (loop.now - started) == pytest.approx(0.25, abs=0.03)


def test_reads_begin_one_at_a_time(loop: Loop) -> None:
    flood(loop, is_read=True)
    assert len(loop.running) == 1


@pytest.mark.parametrize("is_read", [False, True], ids=["changes", "reads"])
def test_requests_that_wait_for_the_store_hold_up_no_others(loop: Loop, is_read: bool) -> None:
    flood(loop, 20, is_read=is_read)  # none of them is answered
    for _ in range(100):
        loop.pass_time(0.06)
    assert len(loop.running) == 20


def test_a_page_and_its_files_are_not_slowed_down(loop: Loop) -> None:
    for _ in range(10):
        flood(loop, 10, is_read=True)
        started = loop.now
        assert len([request for request in loop.serve(10 * COST - 1e-6) if request.is_read]) == 10
        assert loop.now == pytest.approx(started + 10 * COST)
        loop.now += 1


def test_a_page_load_leaves_changes_their_allowance(loop: Loop) -> None:
    flood(loop, 10, is_read=True)
    assert len([request for request in loop.serve(1) if request.is_read]) == 10
    flood(loop)
    assert len(loop.running) == 8


def test_an_address_in_debt_has_one_request_in_progress(loop: Loop) -> None:
    flood(loop)
    for request in loop.serve(2):
        assert request.caller == FLOODER
        loop.arrive(Request())
    assert len(loop.running) <= 1


def test_after_a_flood_an_address_gets_its_allowance_back(loop: Loop) -> None:
    flood(loop)
    assert len(list(loop.serve(30))) == 100
    loop.arrive(Request(OTHER))
    loop.running.clear()
    flood(loop)
    assert len(loop.running) == 8


def test_callers_that_wait_for_a_cluster_hold_up_no_others(loop: Loop) -> None:
    for _ in range(200):
        loop.arrive(Request(may_wait=True))  # none of them is answered
    for _ in range(200):
        loop.pass_time(0.004)
    assert len(loop.running) == 200


def test_urgent_requests_begin_as_they_come(loop: Loop) -> None:
    flood(loop)
    assert loop.arrive(Request(urgent=True))


def test_refused_requests_lose_their_urgency(loop: Loop) -> None:
    flood(loop)
    for _ in range(50):
        refused = Request(urgent=True, refused=True)
        loop.arrive(refused)
        if refused in loop.running:
            loop.answer(refused)
    assert loop.arrive(Request(urgent=True)) is False
    loop.now += 10
    loop.arrive(Request(OTHER))
    assert loop.arrive(Request(urgent=True))


def test_urgent_requests_are_not_charged(loop: Loop) -> None:
    for _ in range(1000):
        urgent = Request(urgent=True)
        assert loop.arrive(urgent)
        loop.answer(urgent)
    flood(loop)
    assert len(loop.running) == 8


def test_a_caller_that_has_hung_up_gets_no_turn(loop: Loop) -> None:
    requests = flood(loop)
    for request in requests[:99]:
        request.waits_for_turn = False
    for request in loop.running[:]:
        loop.answer(request)
    assert loop.pass_time(0) == [requests[99]]


def test_only_so_many_of_an_address_may_wait() -> None:
    loop = Loop(most_waiting=3)
    loop.arrive(Request(OTHER))
    requests = flood(loop, 8 + 3)
    with pytest.raises(OverflowError):
        loop.arrive(Request())
    requests[-1].waits_for_turn = False
    assert loop.arrive(Request()) is False


def test_many_addresses_are_forgotten_and_none_is_stuck(loop: Loop) -> None:
    waiting = flood(loop)
    for number in range(10_000):
        request = Request(f"10.0.{number >> 8}.{number & 255}")
        assert loop.arrive(request)
        loop.answer(request)
    assert len(list(loop.serve(60))) == len(waiting)
