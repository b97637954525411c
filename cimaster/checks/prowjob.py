"""Checks or cleans a cluster with a job of Prow, which the manual-trigger service starts."""

import time
from dataclasses import dataclass
from datetime import timedelta
from threading import Event

from cimaster.checks import placeholders
from cimaster.checks.definition import Definition, key, read_timeout
from cimaster.common import parsers
from cimaster.common.background_thread import Interrupted
from cimaster.common.settings import BadSetting
from cimaster.common.times import roughly
from cimaster.pool.records.cluster import Cluster
from cimaster.pool.records.creation import JOB, REFUSED
from cimaster.provisioners.manual_trigger import JobRequest, Settings, job_status, start
from cimaster.provisioners.outcome import Failure

_POLL_INTERVAL = 15.0  # seconds between two looks at the job


def read_template(text: str) -> str:
    """Read a text that may have placeholders."""
    placeholders.check(text)
    return text


@dataclass(frozen=True)
class ProwjobCheck(Definition):
    """A job of Prow: success counts as passed. It gets `user` as its AUTHOR, by default the name of the cluster."""

    job: str = key(read_template)
    branch: str = key(parsers.any_text, "master")
    user: str = key(read_template, "{cluster}")
    timeout: timedelta = key(read_timeout, timedelta(hours=1))

    def verify(self) -> None:
        """Raise ValueError if the settings do not say where manual-trigger is."""
        try:
            Settings.from_environ().check()
        except BadSetting as error:
            raise ValueError(str(error)) from None

    def run(self, cluster: Cluster, key: str, stop: Event) -> str:
        """Start the job and follow it until it ends. A repeat with the same key follows the same job.

        While manual-trigger cannot be reached, it is called again until the time-out: that is not the cluster's fault.
        """
        job = placeholders.fill(self.job, cluster)
        try:
            parsers.prow_name(job)
        except ValueError:
            return f"{job!r} is not the name of a job: correct the facts about the cluster or [{self.name}]"
        return self._follow(JobRequest(job, self.branch, placeholders.fill(self.user, cluster), key), stop)

    def _follow(self, wanted: JobRequest, stop: Event) -> str:
        settings, name, trouble = Settings.from_environ(), "", ""
        ends = time.monotonic() + self.timeout.total_seconds()
        while (left := ends - time.monotonic()) > 0:
            pause = _POLL_INTERVAL
            try:
                name = name or start(settings, wanted).job_name
                status = job_status(settings, name)
                if status.ended:
                    return status.failure
                trouble = ""
            except Failure as failure:
                if failure.missed.kind in (JOB, REFUSED):
                    return str(failure)
                trouble = f": {failure}"
                pause = failure.missed.pause.total_seconds() if failure.missed.pause else pause
            if stop.wait(min(pause, left)):
                raise Interrupted
        return f"the job {wanted.job} did not end within {roughly(self.timeout)}{trouble}"
