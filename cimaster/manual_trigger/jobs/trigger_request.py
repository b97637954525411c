"""A request to start one job of one repository and branch, for one user."""

import json
import uuid
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from cimaster.common.times import format_time

PRESUBMIT, POSTSUBMIT, PERIODIC = "presubmit", "postsubmit", "periodic"
KINDS = (PRESUBMIT, POSTSUBMIT, PERIODIC)
_NAMES = uuid.UUID(
    "5b3c0f0e-7a53-5d0c-9f0e-2f6f0a6d8c11"
)  # arbitrary but fixed: names must be the same in every process


@dataclass(frozen=True)
class TriggerRequest:
    """A request to start a job; texts that were not sent are empty."""

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
        """What to check out, before the job's own settings are added; None for periodic jobs."""
        if self.kind == PERIODIC:
            return None
        refs: dict[str, Any] = {"org": self.org, "repo": self.repo, "base_ref": self.base_ref}
        if self.base_sha:
            refs["base_sha"] = self.base_sha
        if self.pull:  # author and sha are required; empty ones check out the tip
            refs["pulls"] = [{"number": self.pull, "author": self.pull_author, "sha": self.pull_sha}]
        return refs

    @property
    def identity(self) -> str:
        """Equal for requests that ask for the same job: the request id if there is one, else job, refs and user."""
        if self.request_id:
            return f"key:{self.request_id}"
        return json.dumps([self.kind, self.job, self.refs, self.user])

    def asks_for(self, prowjob: dict[str, Any], user: str) -> bool:
        """Say whether this request asks for that ProwJob, which was started for that user."""
        spec = prowjob.get("spec") or {}
        stored_refs = spec.get("refs") or {}
        refs = {
            key: stored_refs[key] for key in ("org", "repo", "base_ref", "base_sha", "pulls") if stored_refs.get(key)
        }
        same_job = (spec.get("type"), spec.get("job")) == (self.kind, self.job)
        return same_job and refs == (self.refs or {}) and user == self.user


def name_of(identity: str) -> str:
    """Return the ProwJob's name for an identity: always the same, so that a repeated request finds it."""
    return str(uuid.uuid5(_NAMES, identity))


def next_name(identity: str, before: Iterable[str], now: datetime) -> str:
    """Return the name of the run that follows the runs `before`: the same in every process within the same ten seconds.

    Without the time, a name would be reused after Prow has removed the earlier runs, perhaps while a pod of that name
    still exists.
    """
    return str(uuid.uuid5(_NAMES, json.dumps([identity, sorted(before), format_time(now)[:-2]])))


def fresh_name() -> str:
    """Return a unique name."""
    return str(uuid.uuid4())
