"""The verbs: start a job, and tell how one stands. The only caller of the API server."""

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
from cimaster.manual_trigger.access.rate_limit import Rates
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
from cimaster.manual_trigger.jobs.job_status import Standing, links
from cimaster.manual_trigger.jobs.prowjob import Order
from cimaster.manual_trigger.jobs.trigger_request import PERIODIC, Asked, fresh_name, name_of, next_name
from cimaster.manual_trigger.metrics import Metrics
from cimaster.manual_trigger.prow.catalog import Catalog
from cimaster.manual_trigger.prow.prowjobs import AlreadyThere, AnswerLost, ProwJobs
from cimaster.manual_trigger.settings import TriggerSettings

_TRIES = 2  # of a create; with their time-outs they fit into the half minute that callers wait
_NAME = re.compile(r"[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?")  # what is no name must not get into the server's path
_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Started:
    """A job that was asked for: how it stands, and whether this request created it."""

    standing: Standing
    created: bool


class Triggers:
    """Starts jobs of the catalog, by the rules, at a bounded rate."""

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
        self._rates = Rates(settings.rate, clock)
        self._locks = NamedLocks()
        self._slots = threading.BoundedSemaphore(settings.threads - max(2, settings.threads // 8))

    @property
    def namespace(self) -> str:
        """Where the ProwJobs are; raises why that is not known yet."""
        return self._settings.namespace or self._catalog.current.namespace

    def start(self, asked: Asked) -> Started:
        """Start a job, or return the one that an equal request has started; waits a while for its build id."""
        if not self._slots.acquire(blocking=False):  # the other threads are for probes and short questions
            raise TooMany("too many requests wait for their jobs already: ask again", retry_after=5)
        try:
            return self._started(asked)
        finally:
            self._slots.release()

    def _started(self, asked: Asked) -> Started:
        began = self._clock.monotonic()
        with self._locks.held(asked.identity):
            stored, created = self._repeated(asked) or self._start(asked)
        standing = self._settled(stored, began)
        if standing.in_error:
            raise JobFailed(f"Prow could not run {standing.job}: {standing.description}", **standing.facts())
        if created and standing.build_id:
            self._metrics.build_id_seconds.observe(self._clock.monotonic() - began)
        return Started(standing, created)

    def standing(self, name: str) -> Standing:
        """Tell how a job stands that this service has started; UnknownJob for any other."""
        stored = self._prowjobs.get(self.namespace, name) if _NAME.fullmatch(name) else None
        if stored is None or not self._standing(stored).user:
            raise UnknownJob(
                f"there is no job {name} that was started here; Prow removes jobs some days after their end"
            )
        return self._standing(stored)

    def _standing(self, stored: dict[str, Any]) -> Standing:
        return Standing(stored, self._settings.pages)

    def _repeated(self, asked: Asked) -> tuple[dict[str, Any], bool] | None:
        """Return what an earlier request with the same request id has started."""
        if not asked.request_id:
            return None
        stored = self._prowjobs.get(self.namespace, name_of(asked.identity))
        return (self._same(stored, asked), False) if stored else None

    def _same(self, stored: dict[str, Any], asked: Asked) -> dict[str, Any]:
        if asked.request_id and not asked.asks_for(stored, self._standing(stored).user):
            raise RequestIdReused("this request_id has started another job before: use a new one for each request")
        return stored

    def _start(self, asked: Asked) -> tuple[dict[str, Any], bool]:
        order = self._allowed(asked)
        if asked.request_id:
            return self._create(order, name_of(asked.identity), first=True)
        if asked.force:
            return self._create(order, fresh_name(), first=True)
        for attempt in range(_TRIES):
            runs = self._runs(order)
            running = [run for run in runs.values() if not self._standing(run).complete]
            if running:
                return max(running, key=lambda run: str(run["metadata"]["creationTimestamp"])), False
            name = next_name(asked.identity, runs, self._clock())
            stored, created = self._create(order, name, first=attempt == 0)
            if created or not self._standing(stored).complete:
                return stored, created
        raise TooMany("the same job is started and ends all the time: ask again", retry_after=1)

    def _allowed(self, asked: Asked) -> Order:
        """Return what is to be made, of a job that is there and by rules that let the user start it."""
        configuration = self._catalog.current
        try:
            job = configuration.find(asked)
        except UnknownJob:
            if not self._catalog.reload_if_stale():
                raise
            configuration = self._catalog.current
            job = configuration.find(asked)
        repository, branch = _place(job, asked)
        self._rules.require(job.name, repository, branch, asked.user, commit=bool(asked.base_sha))
        return Order(configuration, job, asked, self._settings.repo_links)

    def _runs(self, order: Order) -> dict[str, dict[str, Any]]:
        """Return the ProwJobs of the same job, refs and user by name."""
        made = order.prowjob("", self._clock())["metadata"]["labels"]
        wanted = {key: made[key] for key in (labels.TYPE_LABEL, labels.JOB_LABEL) if key in made}
        every = self._prowjobs.labelled(self.namespace, wanted)
        return {run["metadata"]["name"]: run for run in every if order.asked.asks_for(run, self._standing(run).user)}

    def _create(self, order: Order, name: str, *, first: bool) -> tuple[dict[str, Any], bool]:
        """Create a ProwJob of that name; returns the one that is there, and whether it was created here."""
        prowjob = order.prowjob(name, self._clock())
        if first:
            self._rates.take(order.asked.user)
        lost = ""
        for _ in range(_TRIES):
            try:
                return self._prowjobs.create(self.namespace, prowjob), True
            except AlreadyThere:
                pass
            except AnswerLost as error:
                lost = str(error)
                _log.warning("the answer of a create was lost; looking for %s: %s", name, error)
            stored = self._found(name, lost)
            if stored:
                return self._same(stored, order.asked), bool(lost)
        raise self._unknown(name, lost or "it comes and goes")

    def _found(self, name: str, lost: str) -> dict[str, Any] | None:
        try:
            return self._prowjobs.get(self.namespace, name)
        except Refusal as refusal:
            if not lost:
                raise
            raise self._unknown(name, str(refusal)) from refusal

    def _unknown(self, name: str, why: str) -> OutcomeUnknown:
        sentence = (
            f"nobody knows whether ProwJob {name} was created, because the API server's answer was lost ({why}): "
            f"ask GET /manual-trigger/{name}, or repeat the request with the same request_id"
        )
        return OutcomeUnknown(sentence, retry_after=5, **links(self._settings.pages, name))

    def _settled(self, stored: dict[str, Any], began: float) -> Standing:
        """Wait until the job has a build id or has ended, but not for longer than the setting says."""
        standing, ends = self._standing(stored), began + self._settings.wait.total_seconds()
        watches = Watches(f"ProwJob {standing.name}", self._clock)
        try:
            while not standing.settled and (left := ends - self._clock.monotonic()) > 0:
                self._clock.rest(min(watches.rest(), left))
                standing = self._watched(watches, standing, ends - self._clock.monotonic())
        except Refusal as refusal:  # the job is there all the same
            _log.warning("a job cannot be watched: %s", refusal)
        self._metrics.watches_cut.inc(watches.cut)
        return standing

    def _watched(self, watches: Watches, standing: Standing, seconds: float) -> Standing:
        with closing(self._prowjobs.watch(watches, self.namespace, standing.name, seconds)) as changes:
            for stored in changes:
                standing = self._standing(stored)
                if standing.settled:
                    break
        return standing


def _place(job: Job, asked: Asked) -> tuple[str, str]:
    """Return the repository and branch that a job works on; WrongRepository if the caller says another one."""
    if job.kind != PERIODIC:
        return asked.repository, asked.base_ref
    repository, branch = job.place
    said = ((asked.org or asked.repo) and asked.repository, asked.base_ref)
    if repository != "-/-" and any(
        word and word != there for word, there in zip(said, (repository, branch), strict=True)
    ):
        raise WrongRepository(
            f"periodic {job.name} works on {repository} at {branch}, as its extra_refs say: leave out org, repo and "
            "base_ref, or give these"
        )
    return repository, branch
