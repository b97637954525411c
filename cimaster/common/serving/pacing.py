"""Lets the requests of one caller begin in turn, so that a flood of them does not delay those of other callers.

While other callers are active too, one read or a few changes of a caller are in progress at a time. The others wait
in the event loop. Threads could not do that: all that have work compete for the interpreter, and a request of another
caller would be one of a hundred. A caller whose requests have waited without a break for longer than its allowance
has one request in progress, and a pause after it, until it sends less: so it gets `_SHARE` of the time, however fast
the machine is.

Urgent requests begin as they come, unless many of their caller are refused.

Only the event loop uses this module, so it needs no lock. Times are monotonic seconds.
"""

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Generic, Protocol, TypeVar

_SHARE = 0.25  # of the time, for all callers together that have used up their allowance
_ALLOWANCE = 1.5  # seconds: a burst of some hundred takes has begun by then
_ALLOWANCE_OF_READS = 0.1  # seconds of it: a page and its files have begun by then
_LONGEST_DEBT = 0.5  # seconds, so that a caller gets its allowance back soon after a flood
_AT_A_TIME = 8  # changes: a write of the store serves those that arrive together; reads gain nothing from that
_MAY_WAIT_AFTER, _STUCK_AFTER = 0.01, 0.25  # seconds after which a request makes room for the next: it may be waiting
_MOST_REFUSED = 50  # requests of a caller, before its urgent ones lose their priority
_REFUSALS_FORGOTTEN = 10  # each second
_ACTIVE_FOR = 60.0  # seconds after its newest request
_MOST_CALLERS = 4096
_NO_CALLER = ("", -_ACTIVE_FOR)
PROBES = (b"/healthz", b"/readyz", b"/metrics")
"""Paths that monitoring requests all the time: such a request does not show that another caller is active."""


class PacedRequest(Protocol):
    """A request that has arrived; the pacing sets `begun`."""

    caller: str
    path: bytes
    urgent: bool
    begun: float

    @property
    def is_read(self) -> bool:
        """Whether it changes nothing."""

    @property
    def may_wait(self) -> bool:
        """Whether it may take long without work for the processor, as a take that waits for a cluster."""

    @property
    def refused(self) -> bool:
        """Whether it was answered with a refusal."""

    @property
    def waits_for_turn(self) -> bool:
        """Whether it still waits: its caller may have hung up."""


R = TypeVar("R", bound=PacedRequest)


@dataclass
class _Account(Generic[R]):
    """The requests of a caller. `left` is how many seconds of its allowance are left."""

    changed: float
    left: float = _ALLOWANCE
    refused: float = 0.0
    in_progress: int = 0
    newest_begun: float = 0.0
    makes_room_after: float = 0.0
    pause_ends: float = 0.0
    waiting: deque[R] = field(default_factory=deque)

    def is_in_debt(self, request: R) -> bool:
        """Say whether the allowance for such a request is used up."""
        return self.left <= (_ALLOWANCE - _ALLOWANCE_OF_READS if request.is_read else 0)

    def turn(self, request: R) -> float:
        """Return when a request may begin, if it is the next one."""
        at_a_time = 1 if request.is_read or self.is_in_debt(request) else _AT_A_TIME
        if self.in_progress < at_a_time:
            return self.pause_ends
        return max(self.pause_ends, self.newest_begun + self.makes_room_after / at_a_time)

    @property
    def next_turn(self) -> float:
        """When the first waiting request may begin."""
        return self.turn(self.waiting[0])

    def note_time(self, now: float) -> None:
        """Use up the allowance for the time since the last change, or give some of it back."""
        passed = now - self.changed
        self.changed = now
        gained = -passed if self.waiting else passed * _SHARE
        self.left = min(max(self.left + gained, -_LONGEST_DEBT), _ALLOWANCE)
        self.refused = max(self.refused - passed * _REFUSALS_FORGOTTEN, 0.0)

    def drop_ended(self) -> None:
        """Drop the waiting requests whose callers have hung up."""
        self.waiting = deque(request for request in self.waiting if request.waits_for_turn)


class Pacing(Generic[R]):
    """The requests that wait for their turn, by caller; at most `most_waiting` of each."""

    def __init__(self, most_waiting: int) -> None:
        self._most_waiting = most_waiting
        self._accounts: dict[str, _Account[R]] = {}
        self._waiting: dict[str, _Account[R]] = {}
        self._newest = self._before = _NO_CALLER

    def may_begin(self, request: R, now: float) -> bool:
        """Say whether a request that has arrived may begin now; if not, `add` it."""
        if request.path not in PROBES:
            self._note(request.caller, now)
        account = self._account(request.caller, now)
        account.note_time(now)
        is_its_turn = not account.waiting and account.turn(request) <= now
        has_priority = request.urgent and account.refused < _MOST_REFUSED
        if is_its_turn or has_priority or not self._others_are_active(request.caller, now):
            self._begin(account, request, now)
            return True
        return False

    def add(self, request: R) -> bool:
        """Let a request wait for its turn; False if too many of its caller are waiting."""
        account = self._accounts[request.caller]
        if len(account.waiting) >= self._most_waiting:
            account.drop_ended()
            if len(account.waiting) >= self._most_waiting:
                return False
        account.waiting.append(request)
        self._waiting[request.caller] = account
        return True

    def due(self, now: float) -> Iterator[R]:
        """Yield the requests whose turn has come."""
        for caller, account in list(self._waiting.items()):
            account.note_time(now)
            while account.waiting and account.next_turn <= now:
                request = account.waiting.popleft()
                if request.waits_for_turn:
                    self._begin(account, request, now)
                    yield request
            if not account.waiting:
                del self._waiting[caller]

    def seconds_to_next(self, now: float) -> float:
        """Return the seconds until the next turn; infinite if no request is waiting."""
        turns = (account.next_turn for account in self._waiting.values())
        return max(min(turns, default=float("inf")) - now, 0.0)

    def answered(self, request: R, now: float) -> None:
        """Note that a request was answered; a pause follows if its caller has used up its allowance."""
        account = self._accounts.get(request.caller)
        if not account or not account.in_progress:  # it was forgotten meanwhile
            return
        account.note_time(now)
        account.in_progress -= 1
        account.refused += request.refused
        if account.is_in_debt(request) and not request.urgent:
            took = min(now - request.begun, _makes_room_after(request))
            account.pause_ends = now + took * (max(len(self._waiting), 1) / _SHARE - 1)

    def rename(self, caller: str, recognised: str) -> None:
        """Note that the requests of a caller so far were those of a caller that is now recognised."""
        self._newest, self._before = (
            (recognised if name == caller else name, when) for name, when in (self._newest, self._before)
        )
        if self._newest[0] == self._before[0]:
            self._before = _NO_CALLER

    def _begin(self, account: _Account[R], request: R, now: float) -> None:
        account.in_progress += 1
        account.newest_begun = request.begun = now
        account.makes_room_after = _makes_room_after(request)

    def _account(self, caller: str, now: float) -> _Account[R]:
        if caller not in self._accounts:
            if len(self._accounts) >= _MOST_CALLERS:
                self._accounts = dict(self._waiting)
            self._accounts[caller] = _Account(now)
        return self._accounts[caller]

    def _note(self, caller: str, now: float) -> None:
        if caller != self._newest[0]:
            self._before = self._newest
        self._newest = caller, now

    def _others_are_active(self, caller: str, now: float) -> bool:
        other = self._before if self._newest[0] == caller else self._newest
        return now - other[1] < _ACTIVE_FOR


def _makes_room_after(request: PacedRequest) -> float:
    return _MAY_WAIT_AFTER if request.may_wait else _STUCK_AFTER
