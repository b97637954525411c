"""The signals that end a command: they interrupt a wait, or are handed over as events, and never get lost."""

import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType, TracebackType
from typing import Self

NUMBERS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT)


class Stopped(Exception):
    """A signal ended the wait."""

    def __init__(self, number: int) -> None:
        super().__init__(f"ended by {signal.Signals(number).name}")
        self.exit_status = 128 + number


class StopSignals:
    """A context manager: within it, signals that end a program go to `deliver`, or interrupt an interruptible block.

    A signal that the parent had ignored (nohup) stays ignored.
    """

    def __init__(self, deliver: Callable[[int], None]) -> None:
        self._deliver = deliver
        self._interruptible = False
        self._early: int | None = None  # the first signal that came before any block could be interrupted
        self._can_be_early = True
        self._former = {number: signal.getsignal(number) for number in NUMBERS}

    def __enter__(self) -> Self:
        for number, former in self._former.items():
            if former != signal.SIG_IGN:
                signal.signal(number, self._handle)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for number, former in self._former.items():
            signal.signal(number, former)

    @contextmanager
    def interrupt(self) -> Iterator[None]:
        """Have the first signal raise Stopped in this block, from whatever call blocks.

        The first such block is interrupted as well by a signal that came before it.
        """
        self._interruptible = True
        try:
            early, self._early, self._can_be_early = self._early, None, False
            if early is not None:
                raise Stopped(early)
            yield
        finally:
            self._interruptible = False

    def _handle(self, number: int, _frame: FrameType | None) -> None:
        if self._interruptible:
            self._interruptible = False
            raise Stopped(number)
        if self._can_be_early:
            self._early = self._early or number
        else:
            self._deliver(number)
