"""The parameters of a request to start a job: each has a form, and is refused by name if it has another.

Most values end up in git's arguments, in a shell and in Kubernetes: nothing unusual gets through. The user becomes a
value in the environment of the job, and may be any text.
"""

import re
from collections.abc import Callable

from cimaster.common import git_branches
from cimaster.common.parsers import flag, matching, number, one_of, request_id
from cimaster.common.request_body import Parameter
from cimaster.common.texts import printable
from cimaster.manual_trigger.jobs.trigger_request import KINDS

_REF = re.compile(r"[!-~]{1,255}")
_BAD_IN_REF = re.compile(
    r"""^[-/]|[/.]$|^@$|\.\.|//|@\{|(^|/)\.|\.lock(/|$)"""  # what git forbids, and what it would take for an option
    r"""|[~^:?*\[\\]|[$`"';|&<>(){}!]"""  # and what a script that forgets its quotes would carry out
)


def _shown(longest: int) -> Callable[[str], str]:
    """Read what only tells people something: any text, so far as it can be seen."""
    return lambda text: printable(text)[:longest].rstrip()


def _branch(text: str) -> str:
    if not _REF.fullmatch(text) or _BAD_IN_REF.search(text):
        raise ValueError("a branch as git allows it, without blanks, quotes and other signs of the shell")
    if not git_branches.is_branch(text):
        raise ValueError("the name of a branch, such as master; a commit, a tag or a pull request is none")
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

PROWTYPE = Parameter("prowtype", _kind, "what kind of job: presubmit, postsubmit or periodic", required=True)
ORG = Parameter("org", _owner, "organisation of the repository")
REPO = Parameter("repo", _repo, "the repository")
BASE_REF = Parameter("base_ref", _branch, "the branch")
PULLREQUEST = Parameter("pullrequest", _pull, "number of the pull request; a presubmit needs it")
PULL_SHA = Parameter("pull_sha", _sha, "commit of the pull request; its tip if not given")
PULL_AUTHOR = Parameter("pull_author", _author, "author of the pull request")
REQUEST_ID = Parameter("request_id", request_id, "repeat a request safely: the same id gets the same job")
PARAMETERS = (
    ORG,
    REPO,
    BASE_REF,
    PROWTYPE,
    Parameter("prowjob", _job, "name of the job", required=True),
    Parameter("user", _shown(254), "who the job is for: its AUTHOR", required=True),
    PULLREQUEST,
    Parameter("base_sha", _sha, "commit to check out, where a rule allows one; the branch's tip if not given"),
    PULL_SHA,
    PULL_AUTHOR,
    Parameter("force", flag, "true: another run, also while an equal one is running"),
    REQUEST_ID,
    Parameter("source", _shown(200), "where the request comes from"),
)
