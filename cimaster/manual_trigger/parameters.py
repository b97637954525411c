"""The parameters of a request to start a job; a refusal names the parameter and the expected form.

Most values end up in git's arguments, in a shell and in Kubernetes, so nothing unusual is accepted. The user becomes a
value in the environment of the job, and may be any text.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass

from cimaster.common import git_branches
from cimaster.common.parameters import Parameters, ParameterType
from cimaster.common.parsers import flag, matching, number, one_of, request_id
from cimaster.common.texts import printable
from cimaster.manual_trigger.jobs.trigger_request import KINDS

_REF = re.compile(r"[!-~]{1,255}")
_BAD_IN_REF = re.compile(
    r"""^[-/]|[/.]$|^@$|\.\.|//|@\{|(^|/)\.|\.lock(/|$)"""  # what git forbids, or would take for an option
    r"""|[~^:?*\[\\]|[$`"';|&<>(){}!]"""  # what a script without quotes would execute
)


def _display_text(longest: int) -> Callable[[str], str]:
    """Return a parser of text for people, which drops invisible characters and cuts the text to `longest`."""
    return lambda text: printable(text)[:longest].rstrip()


def _branch(text: str) -> str:
    if not _REF.fullmatch(text) or _BAD_IN_REF.search(text):
        raise ValueError("a branch as git allows it, without blanks, quotes and other special characters of the shell")
    if not git_branches.is_branch(text):
        raise ValueError("the name of a branch, such as master, not a commit, a tag or a pull request")
    return text


_kind = one_of(KINDS, "presubmit, postsubmit or periodic")
_owner = matching(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}", "an organisation, such as tess")
_repo = matching(
    r"(?!\.{1,2}$)[A-Za-z0-9._][A-Za-z0-9._-]{0,99}", "a repository without its organisation, such as tessops"
)
_job = matching(r"[A-Za-z0-9._-]{1,253}", "the name of a job, such as e2e-k8s-1.32")
_author = matching(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}(\[bot\])?", "a login name")
_sha = matching(r"[0-9a-f]{40}", "40 hexadecimal digits in lower case")
_pull = number(0, 10**9 - 1, "the number of a pull request", digits=9)

PROW_TYPE = ParameterType(_kind, "the type of job: presubmit, postsubmit or periodic")
ORG = ParameterType(_owner, "organisation of the repository")
REPO = ParameterType(_repo, "the repository")
BASE_REF = ParameterType(_branch, "the branch")
BASE_SHA = ParameterType(_sha, "commit to check out, where a rule allows one; default the tip of the branch")
PROW_JOB = ParameterType(_job, "name of the job")
USER = ParameterType(_display_text(254), "person that the job is for: its AUTHOR")
PULL_REQUEST = ParameterType(_pull, "number of the pull request; a presubmit needs it")
PULL_SHA = ParameterType(_sha, "commit of the pull request; default its tip")
PULL_AUTHOR = ParameterType(_author, "author of the pull request")
FORCE = ParameterType(flag, "true: another run, even while an equal one is running")
REQUEST_ID = ParameterType(request_id, "repeats a request safely: the same id gets the same job")
SOURCE = ParameterType(_display_text(200), "where the request comes from")


@dataclass(frozen=True, kw_only=True)
class TriggerParameters(Parameters):
    """The parameters of a request to start a job; a text that is not sent is empty."""

    org: str = ORG.optional("")
    repo: str = REPO.optional("")
    base_ref: str = BASE_REF.optional("")
    prowtype: str = PROW_TYPE.required()
    prowjob: str = PROW_JOB.required()
    user: str = USER.required()
    pullrequest: int | None = PULL_REQUEST.optional(None)
    base_sha: str = BASE_SHA.optional("")
    pull_sha: str = PULL_SHA.optional("")
    pull_author: str = PULL_AUTHOR.optional("")
    force: bool = FORCE.optional(False)
    request_id: str = REQUEST_ID.optional("")
    source: str = SOURCE.optional("")


PARAMETERS = TriggerParameters.declared()
