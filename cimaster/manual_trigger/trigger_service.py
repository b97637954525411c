"""Starts jobs and reads their status: the only caller of ProwJobs for requests."""

import logging
import re
import threading
from contextlib import closing
from dataclasses import dataclass
from typing import Any

from cimaster.common.clock import Clock
from cimaster.common.errors import Refusal, RequestIdReused
from cimaster.common.kubernetes_watches import Watches
from cimaster.manual_trigger.access.named_locks import NamedLocks
from cimaster.manual_trigger.access.rate_limit import RateLimit
from cimaster.manual_trigger.access.rules import Rules
from cimaster.manual_trigger.errors import (
    JobFailed,
    OutcomeUnknown,
    TooMany,
    UnknownJob,
    WrongRepository,
)
from cimaster.manual_trigger.jobs import labels
from cimaster.manual_trigger.jobs.configuration import Job
from cimaster.manual_trigger.jobs.job_status import JobStatus, links
from cimaster.manual_trigger.jobs.prowjob import ProwJobBuilder
from cimaster.manual_trigger.jobs.trigger_request import PERIODIC, TriggerRequest, fresh_name, name_of, next_name
from cimaster.manual_trigger.metrics import Metrics
from cimaster.manual_trigger.prow.catalog import Catalog
from cimaster.manual_trigger.prow.prowjobs import AlreadyExists, AnswerLost, ProwJobs
from cimaster.manual_trigger.settings import TriggerSettings

_ATTEMPTS = 2  # to create a ProwJob; with their time-outs, both fit into the 30 s that callers wait
_NAME = re.compile(r"[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?")  # only valid names may become part of the API server's path
_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class TriggerResult:
    """The job of a request: its status, and whether this request created it."""

    status: JobStatus
    created: bool


class TriggerService:
    """Starts jobs of the catalog that the rules allow, at a limited rate."""

    def __init__(
        self,
        settings: TriggerSettings,
        catalog: Catalog,
        prowjobs: ProwJobs,
        rules: Rules,
        metrics: Metrics,
        clock: Clock,
    ) -> None:
        self._settings = settings
        self._catalog = catalog
        self._prowjobs = prowjobs
        self._rules = rules
        self._metrics = metrics
        self._clock = clock
        self._rate_limit = RateLimit(settings.rate, clock)
        self._locks = NamedLocks()
        self._slots = threading.BoundedSemaphore(settings.threads - max(2, settings.threads // 8))

    @property
    def namespace(self) -> str:
        """The namespace of the ProwJobs; raises a refusal as long as it is not known."""
        return self._settings.namespace or self._catalog.current.namespace

    def start(self, request: TriggerRequest) -> TriggerResult:
        """Start a job, or return the one that an equal request has started; wait a while for its build id."""
        if not self._slots.acquire(blocking=False):  # the other threads answer probes and short requests
            raise TooMany("too many requests are waiting for their jobs: repeat the request in 5 s", retry_after=5)
        try:
            return self._start_and_wait(request)
        finally:
            self._slots.release()

    def _start_and_wait(self, request: TriggerRequest) -> TriggerResult:
        began = self._clock.monotonic()
        with self._locks.held(request.identity):
            stored, created = self._started_before(request) or self._find_or_create(request)
        status = self._wait_until_settled(stored, began)
        if status.in_error:
            raise JobFailed(f"Prow could not run {status.job}: {status.description}", **status.facts())
        if created and status.build_id:
            self._metrics.build_id_seconds.observe(self._clock.monotonic() - began)
        return TriggerResult(status, created)

    def status(self, name: str) -> JobStatus:
        """Return the status of a job that this service has started; raise UnknownJob for any other."""
        stored = self._prowjobs.get(self.namespace, name) if _NAME.fullmatch(name) else None
        if stored is None or not self._status(stored).user:
            raise UnknownJob(
                f"this service has started no job {name}: check the name; Prow removes jobs some days after their end"
            )
        return self._status(stored)

    def _status(self, stored: dict[str, Any]) -> JobStatus:
        return JobStatus(stored, self._settings.pages)

    def _started_before(self, request: TriggerRequest) -> tuple[dict[str, Any], bool] | None:
        """Return the ProwJob that an earlier request with the same request id has started."""
        if not request.request_id:
            return None
        stored = self._prowjobs.get(self.namespace, name_of(request.identity))
        return (self._same(stored, request), False) if stored else None

    def _same(self, stored: dict[str, Any], request: TriggerRequest) -> dict[str, Any]:
        if request.request_id and not request.asks_for(stored, self._status(stored).user):
            raise RequestIdReused("this request_id belongs to another job: use a new one for each request")
        return stored

    def _find_or_create(self, request: TriggerRequest) -> tuple[dict[str, Any], bool]:
        builder = self._allowed(request)
        if request.request_id:
            return self._create(builder, name_of(request.identity), first=True)
        if request.force:
            return self._create(builder, fresh_name(), first=True)
        for attempt in range(_ATTEMPTS):
            runs = self._runs(builder)
            running = [run for run in runs.values() if not self._status(run).complete]
            if running:
                return max(running, key=lambda run: str(run["metadata"]["creationTimestamp"])), False
            name = next_name(request.identity, runs, self._clock())
            stored, created = self._create(builder, name, first=attempt == 0)
            if created or not self._status(stored).complete:
                return stored, created
        raise TooMany("other requests keep starting the same job: repeat the request in 1 s", retry_after=1)

    def _allowed(self, request: TriggerRequest) -> ProwJobBuilder:
        """Return the builder of the ProwJob; raise a refusal if the job does not exist or no rule allows it."""
        configuration = self._catalog.current
        try:
            job = configuration.find(request)
        except UnknownJob:
            if not self._catalog.reload_if_stale():
                raise
            configuration = self._catalog.current
            job = configuration.find(request)
        repository, branch = _place(job, request)
        self._rules.require(job.name, repository, branch, request.user, commit=bool(request.base_sha))
        return ProwJobBuilder(configuration, job, request, self._settings.repo_links)

    def _runs(self, builder: ProwJobBuilder) -> dict[str, dict[str, Any]]:
        """Return the ProwJobs of the same job, refs and user, by name."""
        made = builder.build("", self._clock())["metadata"]["labels"]
        wanted = {key: made[key] for key in (labels.TYPE_LABEL, labels.JOB_LABEL) if key in made}
        every = self._prowjobs.with_labels(self.namespace, wanted)
        return {run["metadata"]["name"]: run for run in every if builder.request.asks_for(run, self._status(run).user)}

    def _create(self, builder: ProwJobBuilder, name: str, *, first: bool) -> tuple[dict[str, Any], bool]:
        """Create a ProwJob of that name, or find it; return it, and whether this request created it."""
        prowjob = builder.build(name, self._clock())
        if first:
            self._rate_limit.take(builder.request.user)
        lost = ""
        for _ in range(_ATTEMPTS):
            try:
                return self._prowjobs.create(self.namespace, prowjob), True
            except AlreadyExists:
                pass
            except AnswerLost as error:
                lost = str(error)
                _log.warning("the API server's answer to a create was lost; looking for %s: %s", name, error)
            stored = self._found(name, lost)
            if stored:
                return self._same(stored, builder.request), bool(lost)
        raise self._unknown(name, lost or "it appeared and disappeared")

    def _found(self, name: str, lost: str) -> dict[str, Any] | None:
        try:
            return self._prowjobs.get(self.namespace, name)
        except Refusal as refusal:
            if not lost:
                raise
            raise self._unknown(name, lost) from refusal

    def _unknown(self, name: str, why: str) -> OutcomeUnknown:
        sentence = (
            f"it is unknown whether ProwJob {name} was created, because the API server's answer was lost ({why}): "
            f"ask GET /manual-trigger/{name}, or repeat the request with the same request_id"
        )
        return OutcomeUnknown(sentence, retry_after=5, **links(self._settings.pages, name))

    def _wait_until_settled(self, stored: dict[str, Any], began: float) -> JobStatus:
        """Wait until the job has a build id or has ended, but no longer than the setting says."""
        status, ends = self._status(stored), began + self._settings.wait.total_seconds()
        watches = Watches(f"ProwJob {status.name}", self._clock)
        try:
            while not status.settled and (left := ends - self._clock.monotonic()) > 0:
                self._clock.rest(min(watches.rest(), left))
                status = self._watched(watches, status, ends - self._clock.monotonic())
        except Refusal as refusal:  # the job exists all the same
            _log.warning("cannot watch a job: %s", refusal)
        self._metrics.watches_cut.inc(watches.cut)
        return status

    def _watched(self, watches: Watches, status: JobStatus, seconds: float) -> JobStatus:
        with closing(self._prowjobs.watch(watches, self.namespace, status.name, seconds)) as changes:
            for stored in changes:
                status = self._status(stored)
                if status.settled:
                    break
        return status


def _place(job: Job, request: TriggerRequest) -> tuple[str, str]:
    """Return the repository and branch of a job; raise WrongRepository if the request names another one."""
    if job.kind != PERIODIC:
        return request.repository, request.base_ref
    repository, branch = job.place
    named = request.repository if request.org or request.repo else repository
    other_branch = request.base_ref and request.base_ref != branch
    if repository != "-/-" and (named != repository or other_branch):
        raise WrongRepository(
            f"periodic {job.name} works on {repository} at {branch}, as its extra_refs say: leave out org, repo and "
            "base_ref, or give these"
        )
    return repository, branch
