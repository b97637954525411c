"""Checks or cleans a cluster with a program, which finds the facts about the cluster in its environment."""

from dataclasses import dataclass
from datetime import timedelta
from threading import Event

from cimaster.checks import placeholders
from cimaster.checks.definition import Definition, key, read_timeout
from cimaster.common import parsers
from cimaster.common.child_program import CannotRun, ChildProgram, ProgramFailed
from cimaster.common.child_program import read_program as read_words
from cimaster.pool.records.cluster import Cluster


def read_program(text: str) -> tuple[str, ...]:
    """Read a command line. Facts about clusters are data, so they never become arguments."""
    if placeholders.are_in(text):
        raise ValueError("no placeholders: the program finds the cluster in CLUSTER, REGION, PURPOSE and OSIMAGE")
    return read_words(text)


@dataclass(frozen=True)
class CommandCheck(Definition):
    """A program: status 0 counts as passed, and otherwise the last line of its standard error is the reason."""

    program: tuple[str, ...] = key(read_program)
    environment: tuple[str, ...] = key(parsers.words, ())
    timeout: timedelta = key(read_timeout, timedelta(minutes=10))

    def verify(self) -> None:
        """Raise ValueError if the program cannot be run."""
        if not self._child.exists:
            raise ValueError(f"program {self.program[0]!r} does not exist or cannot be run: name another one")

    @property
    def _child(self) -> ChildProgram:
        return ChildProgram(self.program, self.timeout, self.environment)

    def run(self, cluster: Cluster, key: str, stop: Event) -> str:
        """Run the program until it ends; a repeat finds the same CHECK_KEY in its environment."""
        variables = {name.upper(): value for name, value in placeholders.facts(cluster).items()}
        try:
            self._child.run({**variables, "CHECK_KEY": key}, stop)
        except (ProgramFailed, CannotRun) as failure:
            return str(failure)
        return ""
