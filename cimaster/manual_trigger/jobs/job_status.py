"""The status of a ProwJob, and links to its pages."""

from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from cimaster.manual_trigger.jobs.prowjob import TRIGGERED_BY

_ENDED = ("success", "failure", "aborted", "error")


@dataclass(frozen=True)
class JobStatus:
    """The status of a ProwJob as the API server has it; `pages` is Deck's address (empty: answers have no links)."""

    prowjob: dict[str, Any]
    pages: str

    @property
    def name(self) -> str:
        """The ProwJob's name."""
        return str(self.prowjob["metadata"]["name"])

    @property
    def job(self) -> str:
        """The name of the job that it runs."""
        return str((self.prowjob.get("spec") or {}).get("job", ""))

    def _status(self, key: str) -> str:
        return str((self.prowjob.get("status") or {}).get(key) or "")

    @property
    def state(self) -> str:
        """Prow's state: scheduling, triggered, pending, success, failure, aborted or error."""
        return self._status("state")

    @property
    def build_id(self) -> str:
        """The number of the build; empty until its pod is created; it changes if that pod is lost."""
        return self._status("build_id")

    @property
    def description(self) -> str:
        """Prow's description of the state."""
        return self._status("description")

    @property
    def complete(self) -> bool:
        """Say whether Prow is done with it: an aborted job is complete only when its pod is gone."""
        return bool(self._status("completionTime"))

    @property
    def in_error(self) -> bool:
        """Say whether Prow could not run it; a job that ran and failed is not in error."""
        return self.state == "error"

    @property
    def settled(self) -> bool:
        """Say whether it has a build id or has ended, so that waiting longer makes no sense."""
        return bool(self.build_id) or self.state in _ENDED

    @property
    def user(self) -> str:
        """The user for whom this service has started it; empty if another program started it."""
        return str((self.prowjob["metadata"].get("annotations") or {}).get(TRIGGERED_BY, ""))

    def facts(self) -> dict[str, Any]:
        """Return the members of an answer that describe it."""
        return {
            **links(self.pages, self.name),
            "log_link": self._page("log", job=self.job, id=self.build_id) if self.build_id else "",
            "state": self.state,
            "build_id": self.build_id,
            "url": self._status("url"),
            "description": self.description,
            "complete": self.complete,
        }

    def _page(self, page: str, **query: str) -> str:
        return f"{self.pages}/{page}?{urlencode(query)}" if self.pages else ""


def links(pages: str, name: str) -> dict[str, str]:
    """Return the members of an answer about a ProwJob of which only the name is known."""
    return {"job_name": name, "status_link": f"{pages}/prowjob?{urlencode({'prowjob': name})}" if pages else ""}
