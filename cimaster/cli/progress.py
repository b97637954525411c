"""What a waiting command says: one line that is kept current on a terminal, and plain lines in a log."""

import os
import sys
import threading
import time
from types import TracebackType
from typing import Self, TextIO

from cimaster.cli import durations
from cimaster.cli.client import QueuePlace
from cimaster.cli.terminal_text import neutral

_LOG_SECONDS = 300.0  # between two lines about the same place
_ERASE_LINE = "\r\x1b[K"


def say(sentence: str) -> None:
    """Say something about the command itself, on standard error."""
    erase = _ERASE_LINE if sys.stderr.isatty() else ""
    _write(sys.stderr, f"{erase}cimaster: {neutral(sentence)}\n")


class WaitingProgress:
    """A context manager for the time in which a command waits for a cluster."""

    def __init__(self, subject: str, stream: TextIO | None = None) -> None:
        self._subject = subject
        self._stream = stream or sys.stderr
        self._terminal = self._stream.isatty()
        self._begin = self._said = time.monotonic()
        self._place = QueuePlace("")
        self._done = threading.Event()
        self._ticker = threading.Thread(target=self._tick, name="progress", daemon=True)

    def __enter__(self) -> Self:
        if self._terminal:
            self._ticker.start()
        else:
            _write(self._stream, f"cimaster: waiting for {neutral(self._subject)}\n")
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._done.set()
        if self._terminal:
            self._ticker.join()
            _write(self._stream, _ERASE_LINE)

    def queued(self, place: QueuePlace) -> None:
        """Note the place in the queue; in a log, say it when it changes and every five minutes."""
        changed, self._place = place.place != self._place.place, place
        due = time.monotonic() - self._said >= _LOG_SECONDS
        if not self._terminal and (changed or due):
            self._said = time.monotonic()
            _write(self._stream, f"cimaster: {self._sentence()}\n")

    def _sentence(self) -> str:
        waited = durations.words(time.monotonic() - self._begin)
        return f"waiting for {neutral(self._subject)} for {waited}{_in_queue(self._place)}"

    def _tick(self) -> None:
        while not self._done.wait(1):
            _write(self._stream, f"{_ERASE_LINE}cimaster: {self._sentence()}")


def _in_queue(place: QueuePlace) -> str:
    """Return the place and the expected wait, such as `: number 3 in the queue, about 12 min`."""
    if not place.place:
        return ""
    expected = "" if place.expected_wait is None else f", about {durations.about(place.expected_wait)}"
    return f": number {neutral(place.place)} in the queue{expected}"


def _write(stream: TextIO, text: str) -> None:
    """Write to a stream; where its reader has gone, as of `2>&1 | head`, write to nothing from then on.

    The cluster must be given back all the same, and Python would exit with 120 if it could not flush the stream.
    """
    try:
        stream.write(text)
        stream.flush()
    except OSError:
        nothing = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nothing, stream.fileno())
        os.close(nothing)
