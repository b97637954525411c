"""Prow's loaded configuration: which jobs there are, and what holds for all of them."""

import difflib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from cimaster.common import yaml_core_schema
from cimaster.manual_trigger.errors import AmbiguousJob, ConfigurationInvalid, UnknownJob, WrongBranch
from cimaster.manual_trigger.jobs import branches, text_fields
from cimaster.manual_trigger.jobs.trigger_request import KINDS, PERIODIC, POSTSUBMIT, PRESUBMIT, Asked

_KNOWN_BY = {"presubmits", "postsubmits", "periodics"}
_NEAREST = 5  # names that an answer lists


@dataclass(frozen=True)
class Job:
    """One job of the configuration; `repository` is `org/repo`, and empty for periodic jobs."""

    kind: str
    repository: str
    fields: Mapping[str, Any]

    @property
    def name(self) -> str:
        """The job's name; one that YAML took for a number is told as it was written."""
        return str(self.fields.get("name", ""))

    @property
    def title(self) -> str:
        """What people call it beside its name."""
        return f"a {self.kind} of {self.repository}" if self.repository else f"a {self.kind}"

    @property
    def place(self) -> tuple[str, str]:
        """The repository and branch that a periodic job works on; `-/-` and `-` where it names none."""
        refs = next(iter(self.fields.get("extra_refs") or []), None)
        if not refs:
            return "-/-", "-"
        return f"{refs.get('org', '')}/{refs.get('repo', '')}", refs.get("base_ref", "")


class Configuration:
    """What Deck answers on /config, or a file with the same content; ConfigurationInvalid if it is neither."""

    def __init__(self, data: bytes) -> None:
        try:
            document = yaml_core_schema.read(data)
        except ValueError as error:
            raise ConfigurationInvalid(str(error)) from None
        if not isinstance(document, dict) or not _KNOWN_BY & set(document):
            raise ConfigurationInvalid(
                f"it is not what Deck answers on /config: it has none of {', '.join(sorted(_KNOWN_BY))}"
            )
        self._jobs = list(_every_job(document))
        self.namespace = _text(document, "prowjob_namespace", "default")
        self.pod_namespace = _text(document, "pod_namespace", "default")
        self.decorates_all = document.get("decorate_all_jobs") is True
        self.schedules = _part(document, "scheduler").get("enabled") is True
        self.link_url = _text(_part(document, "github"), "link_url", "https://github.com").rstrip("/")

    @property
    def counts(self) -> dict[str, int]:
        """How many jobs of each type there are."""
        return {kind: sum(job.kind == kind for job in self._jobs) for kind in KINDS}

    def find(self, asked: Asked) -> Job:
        """Return the job that is asked for, checked; a refusal says what there is instead."""
        named = [job for job in self._of(asked) if job.name == asked.job]
        if not named:
            raise self._unknown(asked)
        for job in named:
            text_fields.check(job.fields)
        if asked.kind != PERIODIC:
            named = _on_branch(named, asked)
        if len(named) > 1:
            raise AmbiguousJob(
                f"{len(named)} jobs are called {asked.job}: {'; '.join(_told(job) for job in named)}. Prow's "
                "configuration must tell them apart"
            )
        return named[0]

    def _of(self, asked: Asked) -> list[Job]:
        where = "" if asked.kind == PERIODIC else asked.repository
        return [job for job in self._jobs if (job.kind, job.repository) == (asked.kind, where)]

    def _unknown(self, asked: Asked) -> UnknownJob:
        where = "" if asked.kind == PERIODIC else f" of {asked.repository}"
        elsewhere = [job for job in self._jobs if job.name == asked.job]
        near = difflib.get_close_matches(asked.job, sorted({job.name for job in self._of(asked)}), n=_NEAREST)
        told = [f"there is no {asked.kind} {asked.job}{where} in Prow's configuration"]
        if elsewhere:
            told.append(f"that name is {_listed(job.title for job in elsewhere)}")
        if near:
            told.append(f"near to it: {', '.join(near)}")
        told.append("jobs of a repository's own .prow.yaml cannot be seen from here")
        return UnknownJob("; ".join(told), nearest=near)


def _text(owner: Mapping[str, Any], key: str, default: str) -> str:
    value = owner.get(key) or default
    if not isinstance(value, str):
        raise ConfigurationInvalid(f"its {key} is {value!r}, and no text")
    return value


def _part(document: Mapping[str, Any], key: str) -> dict[str, Any]:
    value = document.get(key) or {}
    if not isinstance(value, dict):
        raise ConfigurationInvalid(f"its {key} is no mapping")
    return value


def _every_job(document: Mapping[str, Any]) -> Iterator[Job]:
    for kind in (PRESUBMIT, POSTSUBMIT):
        for repository, jobs in _part(document, f"{kind}s").items():
            yield from _jobs(kind, str(repository), jobs)
    yield from _jobs(PERIODIC, "", document.get("periodics"))


def _jobs(kind: str, repository: str, listed: Any) -> Iterator[Job]:
    if not isinstance(listed or [], list) or any(not isinstance(fields, dict) for fields in listed or []):
        raise ConfigurationInvalid(f"its {kind}s{repository and f' of {repository}'} are no list of jobs")
    yield from (Job(kind, repository, text_fields.without_nulls(fields)) for fields in listed or [])


def _on_branch(named: list[Job], asked: Asked) -> list[Job]:
    accepting = [job for job in named if branches.accepts(job.fields, asked.base_ref)]
    if not accepting:
        runs = "; ".join(branches.described(job.fields) for job in named)
        raise WrongBranch(
            f"{asked.kind} {asked.job} of {asked.repository} does not run on {asked.base_ref}: it runs on {runs}"
        )
    return accepting


def _told(job: Job) -> str:
    return f"one on {branches.described(job.fields)}" if job.repository else job.title


def _listed(told: Iterable[str]) -> str:
    every = list(told)
    rest = f" and {len(every) - _NEAREST} more" if len(every) > _NEAREST else ""
    return ", ".join(every[:_NEAREST]) + rest
