"""The parameters of a request to start a job: each has a form, and is refused by name if it has another.

Most values end up in git's arguments, in a shell and in Kubernetes: nothing unusual gets through. The user becomes a
value in the environment of the job, and may be any text.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from cimaster import gitrefs
from cimaster.manual_trigger.asked import KINDS
from cimaster.texts import printable

_OWNER = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")
_REPO = re.compile(r"(?!\.{1,2}$)[A-Za-z0-9._][A-Za-z0-9._-]{0,99}")
_JOB = re.compile(r"[A-Za-z0-9._-]{1,253}")
_AUTHOR = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}(\[bot\])?")
_SHA = re.compile(r"[0-9a-f]{40}")
_REQUEST_ID = re.compile(r"[!-~]{1,128}")
_REF = re.compile(r"[!-~]{1,255}")
_BAD_IN_REF = re.compile(
    r"""^[-/]|[/.]$|^@$|\.\.|//|@\{|(^|/)\.|\.lock(/|$)"""  # what git forbids, and what it would take for an option
    r"""|[~^:?*\[\\]|[$`"';|&<>(){}!]"""  # and what a script that forgets its quotes would carry out
)


@dataclass(frozen=True)
class Parameter:
    """One parameter: its name, how its text is read (ValueError says what is expected), what it means."""

    name: str
    read: Callable[[str], Any]
    meaning: str
    required: bool = False


def _matching(pattern: re.Pattern[str], expected: str) -> Callable[[str], str]:
    def read(text: str) -> str:
        if not pattern.fullmatch(text):
            raise ValueError(expected)
        return text

    return read


def _shown(longest: int) -> Callable[[str], str]:
    """Read what only tells people something: any text, so far as it can be seen."""
    return lambda text: printable(text)[:longest].rstrip()


def _branch(text: str) -> str:
    if not _REF.fullmatch(text) or _BAD_IN_REF.search(text):
        raise ValueError("a branch as git allows it, without blanks, quotes and other signs of the shell")
    if not gitrefs.is_branch(text):
        raise ValueError("the name of a branch, such as master; a commit, a tag or a pull request is none")
    return text


def _kind(text: str) -> str:
    if text not in KINDS:
        raise ValueError("presubmit, postsubmit or periodic")
    return text


def _pull(text: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) <= 9):
        raise ValueError("the number of a pull request")
    return int(text)


def _flag(text: str) -> bool:
    if text not in ("true", "false"):
        raise ValueError("true or false")
    return text == "true"


_sha = _matching(_SHA, "40 hexadecimal digits in lower case")

PROWTYPE = Parameter("prowtype", _kind, "what kind of job: presubmit, postsubmit or periodic", required=True)
ORG = Parameter("org", _matching(_OWNER, "an organisation, such as tess"), "organisation of the repository")
REPO = Parameter("repo", _matching(_REPO, "a repository without its organisation, such as tessops"), "the repository")
BASE_REF = Parameter("base_ref", _branch, "the branch")
PULLREQUEST = Parameter("pullrequest", _pull, "number of the pull request; a presubmit needs it")
PULL_SHA = Parameter("pull_sha", _sha, "commit of the pull request; its tip if not given")
PULL_AUTHOR = Parameter("pull_author", _matching(_AUTHOR, "a login name"), "author of the pull request")
REQUEST_ID = Parameter(
    "request_id",
    _matching(_REQUEST_ID, "1 to 128 printable ASCII characters without spaces, best a new uuid"),
    "repeat a request safely: the same id gets the same job",
)
PARAMETERS = (
    ORG,
    REPO,
    BASE_REF,
    PROWTYPE,
    Parameter("prowjob", _matching(_JOB, "the name of a job, such as e2e-k8s-1.32"), "name of the job", required=True),
    Parameter("user", _shown(254), "who the job is for: its AUTHOR", required=True),
    PULLREQUEST,
    Parameter("base_sha", _sha, "commit to check out, where a rule allows one; the branch's tip if not given"),
    PULL_SHA,
    PULL_AUTHOR,
    Parameter("force", _flag, "true: another run, also while an equal one is running"),
    REQUEST_ID,
    Parameter("source", _shown(200), "where the request comes from"),
)
