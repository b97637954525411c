"""What somebody asks for: one job of one repository and branch, for one user."""

import json
import uuid
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from cimaster.common.times import format_time

PRESUBMIT, POSTSUBMIT, PERIODIC = "presubmit", "postsubmit", "periodic"
KINDS = (PRESUBMIT, POSTSUBMIT, PERIODIC)
_NAMES = uuid.UUID("5b3c0f0e-7a53-5d0c-9f0e-2f6f0a6d8c11")  # any fixed one: names must be the same in every process


@dataclass(frozen=True)
class Asked:
    """One request to start a job; texts that were not given are empty."""

    kind: str
    job: str
    user: str
    org: str = ""
    repo: str = ""
    base_ref: str = ""
    base_sha: str = ""
    pull: int = 0
    pull_sha: str = ""
    pull_author: str = ""
    force: bool = False
    request_id: str = ""
    source: str = ""

    @property
    def repository(self) -> str:
        """The repository as the configuration names it."""
        return f"{self.org}/{self.repo}"

    @property
    def refs(self) -> dict[str, Any] | None:
        """What to check out, before the job's own wishes are added; None for periodic jobs, which say it themselves."""
        if self.kind == PERIODIC:
            return None
        refs: dict[str, Any] = {"org": self.org, "repo": self.repo, "base_ref": self.base_ref}
        if self.base_sha:
            refs["base_sha"] = self.base_sha
        if self.pull:  # author and sha must be there, and may be empty: then the tip is checked out
            refs["pulls"] = [{"number": self.pull, "author": self.pull_author, "sha": self.pull_sha}]
        return refs

    @property
    def identity(self) -> str:
        """What makes two requests ask for the same: the request id if there is one, else job, refs and user."""
        if self.request_id:
            return f"key:{self.request_id}"
        return json.dumps([self.kind, self.job, self.refs, self.user])

    def asks_for(self, prowjob: dict[str, Any], user: str) -> bool:
        """Say whether a ProwJob, started for that user, is what is asked for here."""
        spec = prowjob.get("spec") or {}
        there = spec.get("refs") or {}
        told = {key: there[key] for key in ("org", "repo", "base_ref", "base_sha", "pulls") if there.get(key)}
        same_job = (spec.get("type"), spec.get("job")) == (self.kind, self.job)
        return same_job and told == (self.refs or {}) and user == self.user


def name_of(identity: str) -> str:
    """Return the name of the ProwJob for what is asked: always the same, so that a repeat meets the first one."""
    return str(uuid.uuid5(_NAMES, identity))


def next_name(identity: str, before: Iterable[str], now: datetime) -> str:
    """Return the name of the run after those `before`: the same in every process that decides in those ten seconds.

    Without the time a name would come back after Prow has cleared away the runs before, maybe while a pod of that name
    is still there.
    """
    return str(uuid.uuid5(_NAMES, json.dumps([identity, sorted(before), format_time(now)[:-2]])))


def fresh_name() -> str:
    """Return a name that nobody else will have."""
    return str(uuid.uuid4())
