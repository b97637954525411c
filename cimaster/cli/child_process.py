"""The command that runs on a cluster: a process group of its own, which gets signals and ends with this process."""

import ctypes
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence

from cimaster.cli.errors import ClientError

_PR_SET_PDEATHSIG = 1
NOT_EXECUTABLE, NOT_FOUND = 126, 127


class CannotStart(ClientError):
    """The command cannot be started; `exit_status` is what a shell would return."""

    def __init__(self, sentence: str, exit_status: int) -> None:
        super().__init__(sentence)
        self.exit_status = exit_status


class ChildProcess:
    """A running command.

    On a terminal it stays in the terminal's process group, so that it can read from it; Ctrl-C reaches it there without
    help. Elsewhere it gets a group of its own, and so do all processes that it starts.
    """

    def __init__(self, command: Sequence[str], environment: Mapping[str, str]) -> None:
        self._on_terminal = _in_foreground()
        group = None if self._on_terminal else 0
        try:
            self._process = subprocess.Popen(  # noqa: S603 - to run the caller's command is what this is for
                command, env=environment, process_group=group, preexec_fn=_end_with_parent()
            )
        except FileNotFoundError:
            raise CannotStart(f"{command[0]}: command not found", NOT_FOUND) from None
        except (OSError, ValueError) as error:
            raise CannotStart(f"{command[0]}: cannot be run: {error}", NOT_EXECUTABLE) from None

    def send(self, number: int) -> None:
        """Pass a signal on; what the terminal has sent to its whole group is not sent again."""
        try:
            if not self._on_terminal:
                os.killpg(self._process.pid, number)
            elif number not in (signal.SIGINT, signal.SIGQUIT):
                self._process.send_signal(number)
        except ProcessLookupError:
            pass  # it has ended, and so has its group

    def wait(self) -> int:
        """Wait for the end; return the exit status as a shell has it, 128 and the number for a signal."""
        code = self._process.wait()
        return code if code >= 0 else 128 - code


def _in_foreground() -> bool:
    try:
        return os.tcgetpgrp(sys.stdin.fileno()) == os.getpgrp()
    except (OSError, ValueError, AttributeError):
        return False  # standard input is no terminal, or closed


def _end_with_parent() -> Callable[[], object] | None:
    """Return what the child calls to be ended when this process is killed; None where the system cannot do that.

    A command without this process would go on using a cluster after its lease has run out.
    """
    if not sys.platform.startswith("linux"):
        return None
    try:
        prctl = ctypes.CDLL(None).prctl
    except (OSError, AttributeError):
        return None
    return lambda: prctl(_PR_SET_PDEATHSIG, signal.SIGTERM, 0, 0, 0)
