"""Creates clusters with a program, without Prow: the last line of its output describes the cluster, as JSON."""

import json
from dataclasses import dataclass
from datetime import timedelta
from threading import Event
from typing import Any, ClassVar

from cimaster.common import parsers
from cimaster.common.child_program import CannotRun, ChildProgram, ProgramFailed, read_program
from cimaster.common.settings import BadSetting, FromEnvironment, setting
from cimaster.pool import parsers as form
from cimaster.pool.decisions.inventory import ClusterFacts
from cimaster.pool.records.creation import JOB, REFUSED, UNREACHABLE, Creation
from cimaster.provisioners.outcome import Built, Failure

_MEMBERS = frozenset({"cluster", "region", "purpose", "osimage", "labels", "note"})


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
        if not self.child.exists:
            raise BadSetting(
                f"CIMASTER_COMMAND_PROGRAM: {self.program[0]!r} does not exist or cannot be run: name another one"
            )

    @property
    def child(self) -> ChildProgram:
        """The program as it is run."""
        return ChildProgram(self.program, self.timeout, self.environment)


def begin(settings: Settings, creation: Creation, stop: Event) -> Built:
    """Run the program until it ends. Its environment describes the cluster, with a key that all retries share."""
    program = settings.child
    try:
        built = _cluster(program.run(_variables(creation), stop))
    except ProgramFailed as failure:
        raise Failure(JOB, str(failure)) from None
    except CannotRun as failure:
        raise Failure(UNREACHABLE if failure.temporary else REFUSED, str(failure)) from failure
    if built.facts.purpose not in (None, creation.purpose):
        raise Failure(
            JOB, f"{program.name} created {built.cluster} for {built.facts.purpose} instead of {creation.purpose}"
        )
    return built


def _variables(creation: Creation) -> dict[str, str]:
    return {
        "AUTHOR": creation.user,
        "CREATION": creation.id,
        "CREATION_KEY": creation.idempotency_key,
        "PURPOSE": creation.purpose,
        "BRANCH": creation.branch,
        "JOB": creation.job,
    }


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
