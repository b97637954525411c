"""The command that runs on a cluster: a process group of its own, which gets signals and ends with this process."""

import contextlib
import os
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence

from cimaster.cli.errors import ClientError

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
            self._process = subprocess.Popen(command, env=environment, process_group=group)  # noqa: S603 - its purpose
        except FileNotFoundError:
            raise CannotStart(f"{command[0]}: command not found", NOT_FOUND) from None
        except (OSError, ValueError) as error:
            raise CannotStart(f"{command[0]}: cannot be run: {error}", NOT_EXECUTABLE) from None
        self._watchdog = _watchdog(self._process.pid if self._on_terminal else -self._process.pid)

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
        """Wait for the end; return the exit status, or the number of the signal that ended the command, negative."""
        code = self._process.wait()
        if self._watchdog:
            self._watchdog.communicate(b"\n")
        return code


def _in_foreground() -> bool:
    try:
        return os.tcgetpgrp(sys.stdin.fileno()) == os.getpgrp()
    except (OSError, ValueError, AttributeError):
        return False  # standard input is no terminal, or closed


def _watchdog(target: int) -> "subprocess.Popen[bytes] | None":
    """Start a process that ends the target (a process, or a negative process group) if this process is killed.

    The target would otherwise go on using a cluster after its lease has run out. The watchdog's standard input ends
    with this process; a line there says that the target has ended by itself.
    """
    with contextlib.suppress(OSError):
        return subprocess.Popen(
            [
                "/bin/sh",
                "-c",
                """
                trap '' HUP INT TERM
                read -r _ && exit
                kill -s TERM -- "$TARGET"
                left=30
                while [ "$left" -gt 0 ] && kill -s 0 -- "$TARGET"; do left=$((left - 1)); sleep 1; done
                kill -s KILL -- "$TARGET"
                """,
            ],
            env={"TARGET": str(target)},
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
    return None  # there is no shell
