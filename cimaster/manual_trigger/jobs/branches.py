"""Decides whether a job runs on a branch: matches `branches` and `skip_branches` as Prow does.

Each list is joined into one expression, which may match anywhere in the branch's name. Go's expressions are RE2;
Python's differ in details (a flag in the middle, `$` before a newline, which characters are digits).
"""

from collections.abc import Mapping, Sequence
from typing import Any

import re2

from cimaster.manual_trigger.errors import BadJob

_WITHOUT_LOG = re2.Options()
_WITHOUT_LOG.log_errors = False


def accepts(job: Mapping[str, Any], branch: str) -> bool:
    """Say whether a job runs on a branch; BadJob if its expressions cannot be read."""
    skipped, wanted = job.get("skip_branches") or (), job.get("branches") or ()
    if skipped and _matches(job, "skip_branches", skipped, branch):
        return False
    return not wanted or _matches(job, "branches", wanted, branch)


def _matches(job: Mapping[str, Any], key: str, expressions: Sequence[str], branch: str) -> bool:
    try:
        return re2.compile("|".join(expressions), _WITHOUT_LOG).search(branch) is not None
    except re2.error as error:
        raise BadJob(
            f"{key} of job {job['name']} cannot be read: {_text(error)}; correct Prow's configuration"
        ) from None


def _text(error: Exception) -> str:
    message = error.args[0] if error.args else error
    return message.decode("utf-8", "replace") if isinstance(message, bytes) else str(message)


def described(job: Mapping[str, Any]) -> str:
    """Return which branches a job runs on, for refusals."""
    wanted, skipped = job.get("branches") or (), job.get("skip_branches") or ()
    included = f"branches that match {' or '.join(wanted)}" if wanted else "all branches"
    return f"{included}, except those that match {' or '.join(skipped)}" if skipped else included
