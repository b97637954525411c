"""Which branches a job runs on: `branches` and `skip_branches`, matched as Prow matches them.

Each list is joined into one expression, which is searched for anywhere in the branch's name. Go's expressions are RE2;
Python's own differ where it matters (a flag in the middle, `$` before a newline, what counts as a digit).
"""

from collections.abc import Mapping, Sequence
from typing import Any

import re2

from cimaster.manual_trigger.errors import BadJob

_QUIET = re2.Options()
_QUIET.log_errors = False


def accepts(job: Mapping[str, Any], branch: str) -> bool:
    """Say whether a job runs on a branch; BadJob if its expressions cannot be read."""
    skipped, wanted = job.get("skip_branches") or (), job.get("branches") or ()
    if skipped and _found(job, "skip_branches", skipped, branch):
        return False
    return not wanted or _found(job, "branches", wanted, branch)


def _found(job: Mapping[str, Any], key: str, expressions: Sequence[str], branch: str) -> bool:
    try:
        return re2.compile("|".join(expressions), _QUIET).search(branch) is not None
    except re2.error as error:
        raise BadJob(f"{key} of job {job['name']} cannot be read: {_text(error)}; mend Prow's configuration") from None


def _text(error: Exception) -> str:
    said = error.args[0] if error.args else error
    return said.decode("utf-8", "replace") if isinstance(said, bytes) else str(said)


def described(job: Mapping[str, Any]) -> str:
    """Tell people which branches a job runs on."""
    wanted, skipped = job.get("branches") or (), job.get("skip_branches") or ()
    told = f"branches that match {' or '.join(wanted)}" if wanted else "all branches"
    return f"{told}, but not on those that match {' or '.join(skipped)}" if skipped else told
