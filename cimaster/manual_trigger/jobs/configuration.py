"""Prow's loaded configuration: its jobs, and the settings that apply to all of them."""

import difflib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from cimaster.common import yaml_core_schema
from cimaster.manual_trigger.errors import AmbiguousJob, ConfigurationInvalid, UnknownJob, WrongBranch
from cimaster.manual_trigger.jobs import branches, text_fields
from cimaster.manual_trigger.jobs.trigger_request import KINDS, PERIODIC, POSTSUBMIT, PRESUBMIT, TriggerRequest

_JOB_KEYS = {"presubmits", "postsubmits", "periodics"}
_MOST_NAMES = 5  # in a refusal


@dataclass(frozen=True)
class Job:
    """One job of the configuration; `repository` is `org/repo`, and empty for periodic jobs."""

    kind: str
    repository: str
    fields: Mapping[str, Any]

    @property
    def name(self) -> str:
        """The job's name, as text even where YAML took it for a number."""
        return str(self.fields.get("name", ""))

    @property
    def title(self) -> str:
        """The job's kind and repository, for refusals."""
        return f"a {self.kind} of {self.repository}" if self.repository else f"a {self.kind}"

    @property
    def place(self) -> tuple[str, str]:
        """The repository and branch that a periodic job works on; `-/-` and `-` where it names none."""
        refs = next(iter(self.fields.get("extra_refs") or []), None)
        if not refs:
            return "-/-", "-"
        return f"{refs.get('org', '')}/{refs.get('repo', '')}", refs.get("base_ref", "")


class Configuration:
    """What Deck answers on /config, or a file with the same content; raises ConfigurationInvalid for anything else."""

    def __init__(self, data: bytes) -> None:
        try:
            document = yaml_core_schema.read(data)
        except ValueError as error:
            raise ConfigurationInvalid(str(error)) from None
        if not isinstance(document, dict) or not _JOB_KEYS & set(document):
            raise ConfigurationInvalid(
                f"the configuration is not what Deck answers on /config: it has none of {', '.join(sorted(_JOB_KEYS))}"
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

    def find(self, request: TriggerRequest) -> Job:
        """Return the requested job, checked; a refusal lists similar jobs."""
        named = [job for job in self._of(request) if job.name == request.job]
        if not named:
            raise self._unknown(request)
        for job in named:
            text_fields.check(job.fields)
        if request.kind != PERIODIC:
            named = _on_branch(named, request)
        if len(named) > 1:
            raise AmbiguousJob(
                f"{len(named)} jobs are called {request.job}: {'; '.join(_described(job) for job in named)}: "
                "give them different names in Prow's configuration"
            )
        return named[0]

    def _of(self, request: TriggerRequest) -> list[Job]:
        where = "" if request.kind == PERIODIC else request.repository
        return [job for job in self._jobs if (job.kind, job.repository) == (request.kind, where)]

    def _unknown(self, request: TriggerRequest) -> UnknownJob:
        where = "" if request.kind == PERIODIC else f" of {request.repository}"
        elsewhere = [job for job in self._jobs if job.name == request.job]
        near = difflib.get_close_matches(request.job, sorted({job.name for job in self._of(request)}), n=_MOST_NAMES)
        sentence = [f"there is no {request.kind} {request.job}{where} in Prow's configuration"]
        if elsewhere:
            sentence.append(f"that name is {_listed(job.title for job in elsewhere)}")
        if near:
            sentence.append(f"similar names: {', '.join(near)}")
        sentence.append("choose one of the configuration; jobs of a repository's own .prow.yaml cannot be started here")
        return UnknownJob("; ".join(sentence), nearest=near)


def _text(owner: Mapping[str, Any], key: str, default: str) -> str:
    value = owner.get(key) or default
    if not isinstance(value, str):
        raise ConfigurationInvalid(f"{key} in Prow's configuration is {value!r}: make it a text")
    return value


def _part(document: Mapping[str, Any], key: str) -> dict[str, Any]:
    value = document.get(key) or {}
    if not isinstance(value, dict):
        raise ConfigurationInvalid(f"{key} in Prow's configuration is not a mapping: make it one")
    return value


def _every_job(document: Mapping[str, Any]) -> Iterator[Job]:
    for kind in (PRESUBMIT, POSTSUBMIT):
        for repository, jobs in _part(document, f"{kind}s").items():
            yield from _jobs(kind, str(repository), jobs)
    yield from _jobs(PERIODIC, "", document.get("periodics"))


def _jobs(kind: str, repository: str, listed: Any) -> Iterator[Job]:
    jobs = listed or []
    if not isinstance(jobs, list) or not all(isinstance(fields, dict) for fields in jobs):
        place = f"{kind}s of {repository}" if repository else f"{kind}s"
        raise ConfigurationInvalid(f"{place} in Prow's configuration are not a list of jobs: make them one")
    yield from (Job(kind, repository, text_fields.without_nulls(fields)) for fields in jobs)


def _on_branch(named: list[Job], request: TriggerRequest) -> list[Job]:
    accepting = [job for job in named if branches.accepts(job.fields, request.base_ref)]
    if not accepting:
        runs = "; ".join(branches.described(job.fields) for job in named)
        raise WrongBranch(
            f"{request.kind} {request.job} of {request.repository} does not run on {request.base_ref}: "
            f"choose a branch on which it runs: {runs}"
        )
    return accepting


def _described(job: Job) -> str:
    return f"one on {branches.described(job.fields)}" if job.repository else job.title


def _listed(titles: Iterable[str]) -> str:
    every = list(titles)
    rest = f" and {len(every) - _MOST_NAMES} more" if len(every) > _MOST_NAMES else ""
    return ", ".join(every[:_MOST_NAMES]) + rest
