"""Runs a program of the operator on all cores; at its time-out or when stopped, its child processes end with it."""

import logging
import os
import shlex
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from threading import Event
from typing import IO

from cimaster.common.background_thread import Interrupted
from cimaster.common.settings import inherited
from cimaster.common.times import roughly

_POLL_INTERVAL = 0.2  # seconds
_GRACE_PERIOD = 10.0  # seconds between SIGTERM and SIGKILL
_TAIL = 16_000  # bytes at the end of the output that are read
_INHERITED = ("PATH", "HOME", "LANG", "TMPDIR")
_log = logging.getLogger(__name__)


class ProgramFailed(Exception):
    """The program ended with another status than 0, or was stopped at its time-out; the message says which."""


class CannotRun(Exception):
    """The program did not start. `temporary`: no memory, process or disk space was free, so a later try may succeed."""

    def __init__(self, sentence: str, *, temporary: bool) -> None:
        super().__init__(sentence)
        self.temporary = temporary


def read_program(text: str) -> tuple[str, ...]:
    """Split a command line into words; no shell is involved."""
    try:
        words = shlex.split(text)
    except ValueError:  # a quotation mark without its counterpart
        words = []
    if not words:
        raise ValueError("a program and its arguments, such as /opt/create-cluster --fast")
    return tuple(words)


@dataclass(frozen=True)
class ChildProgram:
    """A program with its arguments, and how long it may run.

    `passed_on` names variables of the service's environment that it gets besides PATH, HOME, LANG and TMPDIR.
    """

    words: tuple[str, ...]
    timeout: timedelta
    passed_on: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        """The program's name without its folder, which users need not know."""
        return Path(self.words[0]).name

    @property
    def exists(self) -> bool:
        """Whether the program is there and may be run."""
        return shutil.which(self.words[0]) is not None

    def run(self, variables: Mapping[str, str], stop: Event) -> str:
        """Run it until it ends, with these variables in its environment; return the last line of its output.

        Raises ProgramFailed or CannotRun, and Interrupted after `stop` was set. Then the program has ended too.
        """
        try:
            with tempfile.TemporaryFile() as output, tempfile.TemporaryFile() as errors:
                program = self._started(variables, output, errors)
                self._wait(program, stop)
                if program.returncode:
                    message = _last_line(errors) or "it printed no error"
                    raise ProgramFailed(f"{self.name} ended with {program.returncode}: {message}")
                return _last_line(output)
        except (FileNotFoundError, PermissionError) as error:
            raise CannotRun(f"{self.name} cannot be run: {error.strerror}", temporary=False) from error
        except OSError as error:
            raise CannotRun(f"{self.name} cannot be run now: {error.strerror}", temporary=True) from error

    def _started(self, variables: Mapping[str, str], output: IO[bytes], errors: IO[bytes]) -> "subprocess.Popen[bytes]":
        program = subprocess.Popen(  # noqa: S603 the operator chose it; callers only set its environment
            self.words,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=errors,
            env={**inherited(*_INHERITED, *self.passed_on), **variables},
            start_new_session=True,
        )
        with suppress(AttributeError, OSError):  # not supported here, or the program has ended
            os.sched_setaffinity(program.pid, range(os.cpu_count() or 1))  # the service itself may keep to one core
        return program

    def _wait(self, program: "subprocess.Popen[bytes]", stop: Event) -> None:
        ends = time.monotonic() + self.timeout.total_seconds()
        while time.monotonic() < ends:
            stopped = stop.wait(_POLL_INTERVAL)
            if program.poll() is not None:
                return
            if stopped:
                self._end(program)
                raise Interrupted
        self._end(program)
        raise ProgramFailed(f"{self.name} was stopped after {roughly(self.timeout)}, its time-out")

    def _end(self, program: "subprocess.Popen[bytes]") -> None:
        """End the program and its child processes: with SIGTERM, and after a while with SIGKILL."""
        deadline = time.monotonic() + _GRACE_PERIOD
        with suppress(ProcessLookupError):
            os.killpg(program.pid, signal.SIGTERM)
            while time.monotonic() < deadline:
                program.poll()  # a zombie would remain a member of the group
                os.killpg(program.pid, 0)
                time.sleep(_POLL_INTERVAL)
            _log.warning("%s ignores SIGTERM; sending SIGKILL", self.name)
            os.killpg(program.pid, signal.SIGKILL)
        program.wait()


def _last_line(stream: IO[bytes]) -> str:
    size = stream.seek(0, os.SEEK_END)
    stream.seek(max(0, size - _TAIL))
    lines = stream.read().decode("utf-8", "replace").strip().splitlines()
    return "".join(char for char in lines[-1] if char.isprintable()).strip() if lines else ""
