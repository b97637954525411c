"""Creates clusters with a program, without Prow: the last line of its output describes the cluster, as JSON."""

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

_POLL_INTERVAL = 0.2  # seconds
_GRACE_PERIOD = 10.0  # seconds between SIGTERM and SIGKILL
_MEMBERS = frozenset({"cluster", "region", "purpose", "osimage", "labels", "note"})
_TAIL = 16_000  # bytes at the end of the output that are read
_log = logging.getLogger(__name__)


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
class Settings(FromEnvironment):
    """The program that creates clusters."""

    prefix: ClassVar[str] = "CIMASTER_COMMAND_"

    program: tuple[str, ...] = setting("program that creates a cluster, with its arguments", (), read_program)
    timeout: timedelta = setting("how long it may run", timedelta(minutes=30), parsers.wait)
    environment: tuple[str, ...] = setting(
        "variables of the service's environment that it gets besides PATH, HOME, LANG and TMPDIR, such as credentials",
        (),
        parsers.words,
    )

    def check(self) -> None:
        """Raise BadSetting unless there is a program that can be run."""
        if not self.program:
            raise BadSetting("CIMASTER_COMMAND_PROGRAM is not set: name the program that creates clusters")
        if shutil.which(self.program[0]) is None:
            raise BadSetting(
                f"CIMASTER_COMMAND_PROGRAM: {self.program[0]!r} does not exist or cannot be run: name another one"
            )

    @property
    def name(self) -> str:
        """The program's name without its folder, which users need not know."""
        return Path(self.program[0]).name


def begin(settings: Settings, creation: Creation, stop: Event) -> Built:
    """Run the program until it ends. Its environment describes the cluster, with a key that all retries share."""
    try:
        with tempfile.TemporaryFile() as output, tempfile.TemporaryFile() as errors:
            return _run(settings, creation, stop, output, errors)
    except (FileNotFoundError, PermissionError) as error:
        raise Failure(REFUSED, f"{settings.name} cannot be run: {error.strerror}") from error
    except OSError as error:  # temporary: no memory, process or disk space
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
    _allow_all_cores(program)
    _wait(program, settings, stop)
    if program.returncode:
        message = _last_line(errors) or "it printed no error"
        raise Failure(JOB, f"{settings.name} ended with {program.returncode}: {message}")
    built = _cluster(_last_line(output))
    if built.facts.purpose not in (None, creation.purpose):
        raise Failure(
            JOB, f"{settings.name} created {built.cluster} for {built.facts.purpose} instead of {creation.purpose}"
        )
    return built


def _allow_all_cores(program: "subprocess.Popen[bytes]") -> None:
    """Let the program use all cores, because the service itself may be restricted to one."""
    with suppress(AttributeError, OSError):  # not supported here, or the program has ended
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
    for _ in range(int(settings.timeout.total_seconds() / _POLL_INTERVAL)):
        stopped = stop.wait(_POLL_INTERVAL)
        if program.poll() is not None:
            return
        if stopped:
            _end(program)
            raise Interrupted
    _end(program)
    raise Failure(JOB, f"{settings.name} was stopped after {roughly(settings.timeout)}, its time-out")


def _end(program: "subprocess.Popen[bytes]") -> None:
    """End the program and its child processes: with SIGTERM, and after a while with SIGKILL."""
    deadline = time.monotonic() + _GRACE_PERIOD
    with suppress(ProcessLookupError):
        os.killpg(program.pid, signal.SIGTERM)
        while time.monotonic() < deadline:
            program.poll()  # a zombie would remain a member of the group
            os.killpg(program.pid, 0)
            time.sleep(_POLL_INTERVAL)
        _log.warning("the program that creates clusters ignores SIGTERM; sending SIGKILL")
        os.killpg(program.pid, signal.SIGKILL)
    program.wait()


def _last_line(stream: IO[bytes]) -> str:
    size = stream.seek(0, os.SEEK_END)
    stream.seek(max(0, size - _TAIL))
    lines = stream.read().decode("utf-8", "replace").strip().splitlines()
    return "".join(char for char in lines[-1] if char.isprintable()).strip() if lines else ""


def _cluster(line: str) -> Built:
    """Read `{"cluster": "cluster-31", "region": "us-west"}`; it may also have purpose, osimage, labels and note."""
    try:
        read = _checked(json.loads(line))
        labels = {form.label(f"{key}={value}") for key, value in dict(read.get("labels", {})).items()}
        facts = ClusterFacts(
            form.word(read["region"]),
            **{key: form.word(read[key]) for key in ("purpose", "osimage") if key in read},
            labels=dict(labels),
            note=form.plain(read["note"]) if "note" in read else None,
        )
        return Built(form.new_cluster(read["cluster"]), facts)
    except KeyError as error:
        raise Failure(JOB, f"the last line of the program has no {error.args[0]}: {line[:200]!a}") from None
    except (ValueError, TypeError) as error:
        raise Failure(
            JOB, f"the last line of the program does not describe a cluster in JSON ({error}): {line[:200]!a}"
        ) from None


def _checked(read: Any) -> dict[str, Any]:
    if not isinstance(read, dict):
        raise TypeError("expected an object")
    if unknown := set(read) - _MEMBERS:
        raise ValueError(f"unknown member {min(unknown)!r}: expected {', '.join(sorted(_MEMBERS))}")
    return read
