"""Has a program create clusters, for people without Prow: the last line that it prints is the cluster, as JSON."""

import json
import logging
import os
import shlex
import shutil
import signal
import subprocess
import tempfile
import time
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from threading import Event
from typing import IO, Any, ClassVar

from cimaster.common import parsers
from cimaster.common.settings import BadSetting, FromEnvironment, inherited, setting
from cimaster.common.times import roughly
from cimaster.pool import parsers as form
from cimaster.pool.decisions.inventory import ClusterFacts
from cimaster.pool.records.creation import JOB, REFUSED, UNREACHABLE, Creation
from cimaster.provisioners.outcome import Built, Failure, Interrupted

_LOOK = 0.2  # seconds between two looks at the program
_TO_END = 10.0  # seconds that it gets to end after a SIGTERM
_KNOWN = frozenset({"cluster", "region", "purpose", "osimage", "labels", "note"})
_TAIL = 16_000  # bytes of its output that are read
_log = logging.getLogger(__name__)


def read_program(text: str) -> tuple[str, ...]:
    """Read a command line; no shell is run."""
    words = shlex.split(text)
    if not words:
        raise ValueError("a program and its arguments, such as /opt/create-cluster --fast")
    return tuple(words)


@dataclass(frozen=True)
class Settings(FromEnvironment):
    """Which program creates clusters."""

    prefix: ClassVar[str] = "CIMASTER_COMMAND_"

    program: tuple[str, ...] = setting("program that creates a cluster, with its arguments", (), read_program)
    timeout: timedelta = setting("how long it may run", timedelta(minutes=30), parsers.wait)
    environment: tuple[str, ...] = setting(
        "variables of the service's environment that it gets beside PATH, HOME, LANG and TMPDIR, such as credentials",
        (),
        parsers.words,
    )

    def check(self) -> None:
        """Refuse to start without a program that can be run."""
        if not self.program:
            raise BadSetting("CIMASTER_COMMAND_PROGRAM is not set: name the program that creates clusters")
        if shutil.which(self.program[0]) is None:
            raise BadSetting(f"CIMASTER_COMMAND_PROGRAM: {self.program[0]!r} is not there, or cannot be run")

    @property
    def name(self) -> str:
        """What people call the program; where it is on the server is nobody's business."""
        return Path(self.program[0]).name


def begin(settings: Settings, creation: Creation, stop: Event) -> Built:
    """Run the program until it ends; its environment says what is wanted, and by which key it knows a repetition."""
    try:
        with tempfile.TemporaryFile() as output, tempfile.TemporaryFile() as errors:
            return _run(settings, creation, stop, output, errors)
    except (FileNotFoundError, PermissionError) as error:
        raise Failure(REFUSED, f"{settings.name} cannot be run: {error.strerror}") from error
    except OSError as error:  # no memory, no process, no room: that passes
        raise Failure(UNREACHABLE, f"{settings.name} cannot be run now: {error.strerror}") from error


def _run(settings: Settings, creation: Creation, stop: Event, output: IO[bytes], errors: IO[bytes]) -> Built:
    program = subprocess.Popen(  # noqa: S603 the operator chose it; callers only set its environment
        settings.program,
        stdin=subprocess.DEVNULL,
        stdout=output,
        stderr=errors,
        env=_environment(settings, creation),
        start_new_session=True,
    )
    _free(program)
    _wait(program, settings, stop)
    if program.returncode:
        said = _last_line(errors) or "it printed no error"
        raise Failure(JOB, f"{settings.name} ended with {program.returncode}: {said}")
    built = _cluster(_last_line(output))
    if built.facts.purpose not in (None, creation.purpose):
        raise Failure(JOB, f"it built {built.cluster} for {built.facts.purpose}, and not for {creation.purpose}")
    return built


def _free(program: "subprocess.Popen[bytes]") -> None:
    """Let the program use every core: the service itself may keep to one."""
    with suppress(AttributeError, OSError):  # not on this system; or it has ended already
        os.sched_setaffinity(program.pid, range(os.cpu_count() or 1))


def _environment(settings: Settings, creation: Creation) -> dict[str, str]:
    wanted = {
        "AUTHOR": creation.user,
        "CREATION": creation.id,
        "CREATION_KEY": creation.idempotency_key,
        "PURPOSE": creation.purpose,
        "BRANCH": creation.branch,
        "JOB": creation.job,
    }
    return inherited("PATH", "HOME", "LANG", "TMPDIR", *settings.environment) | wanted


def _wait(program: "subprocess.Popen[bytes]", settings: Settings, stop: Event) -> None:
    for _ in range(int(settings.timeout.total_seconds() / _LOOK)):
        stopped = stop.wait(_LOOK)
        if program.poll() is not None:
            return
        if stopped:
            _end(program)
            raise Interrupted
    _end(program)
    raise Failure(JOB, f"{settings.name} ran for {roughly(settings.timeout)} and was ended")


def _end(program: "subprocess.Popen[bytes]") -> None:
    """End the program and all that it started: politely, and after a while by force."""
    ends = time.monotonic() + _TO_END
    with suppress(ProcessLookupError):
        os.killpg(program.pid, signal.SIGTERM)
        while time.monotonic() < ends:
            program.poll()  # who is not waited for stays a member of its group
            os.killpg(program.pid, 0)
            time.sleep(_LOOK)
        _log.warning("the program that creates clusters does not end: it is killed")
        os.killpg(program.pid, signal.SIGKILL)
    program.wait()


def _last_line(stream: IO[bytes]) -> str:
    size = stream.seek(0, os.SEEK_END)
    stream.seek(max(0, size - _TAIL))
    lines = stream.read().decode("utf-8", "replace").strip().splitlines()
    return "".join(char for char in lines[-1] if char.isprintable()).strip() if lines else ""


def _cluster(line: str) -> Built:
    """Read the last line: `{"cluster": "cluster-31", "region": "us-west"}`, with purpose, osimage, labels, note."""
    try:
        said = _checked(json.loads(line))
        labels = {form.label(f"{key}={value}") for key, value in dict(said.get("labels", {})).items()}
        facts = ClusterFacts(
            form.word(said["region"]),
            **{key: form.word(said[key]) for key in ("purpose", "osimage") if key in said},
            labels=dict(labels),
            note=form.plain(said["note"]) if "note" in said else None,
        )
        return Built(form.new_cluster(said["cluster"]), facts)
    except KeyError as error:
        raise Failure(JOB, f"the last line of the program names no {error.args[0]}: {line[:200]!a}") from None
    except (ValueError, TypeError) as error:
        raise Failure(JOB, f"the last line of the program is no cluster in JSON ({error}): {line[:200]!a}") from None


def _checked(said: Any) -> dict[str, Any]:
    if not isinstance(said, dict):
        raise TypeError("expected an object")
    if unknown := set(said) - _KNOWN:
        raise ValueError(f"it has {min(unknown)!r}, and may have {', '.join(sorted(_KNOWN))}")
    return said
