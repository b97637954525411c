"""What the client reads from its environment: the server, and the job that a CI system runs."""

import getpass
import json
import os
from collections.abc import Mapping
from dataclasses import dataclass

DEFAULT_SERVER = "http://127.0.0.1:8080"
SERVER, JOB, BUILD, NAME = "CIMASTER_SERVER", "CIMASTER_JOB", "CIMASTER_BUILD", "CIMASTER_NAME"
TOKEN_FILE, INSECURE_TOKEN = "CIMASTER_CLIENT_TOKEN_FILE", "CIMASTER_INSECURE_TOKEN"


@dataclass(frozen=True)
class CISystem:
    """One CI system: the variable that only it sets, and its names for the job, the build and the person."""

    title: str
    mark: str
    job: str
    build: str
    person: str


# Prow comes first: its jobs may run programs that set variables of Jenkins.
CI_SYSTEMS = (
    CISystem("Prow", "PROW_JOB_ID", "JOB_NAME", "BUILD_ID", ""),
    CISystem("GitHub Actions", "GITHUB_ACTIONS", "GITHUB_JOB", "GITHUB_RUN_ID", "GITHUB_ACTOR"),
    CISystem("GitLab CI", "GITLAB_CI", "CI_JOB_NAME", "CI_JOB_ID", "GITLAB_USER_LOGIN"),
    CISystem("Jenkins", "JENKINS_URL", "JOB_NAME", "BUILD_NUMBER", "BUILD_USER_ID"),
)


@dataclass(frozen=True)
class CIJob:
    """The job, its build and the person who triggered it; empty where nothing names them."""

    job: str = ""
    build: str = ""
    person: str = ""


def ci_job(variables: Mapping[str, str] | None = None) -> CIJob:
    """Return the job that the CI system runs; CIMASTER_JOB, _BUILD and _NAME win over its variables."""
    given = os.environ if variables is None else variables
    system = next((system for system in CI_SYSTEMS if given.get(system.mark)), None)
    job, build, person = (system.job, system.build, system.person) if system else ("", "", "")
    return CIJob(
        given.get(JOB) or given.get(job, ""),
        given.get(BUILD) or given.get(build, ""),
        given.get(NAME) or given.get(person, "") or _author(given),
    )


def login_name() -> str:
    """Return the name of the user at this machine; empty if it is unknown."""
    try:
        return getpass.getuser()
    except (OSError, KeyError, ImportError):
        return ""


def environment_with(additions: Mapping[str, str]) -> dict[str, str]:
    """Return this process's environment with variables added."""
    return {**os.environ, **additions}


def _author(variables: Mapping[str, str]) -> str:
    """Return the author of the pull request that Prow tests; empty if there is none."""
    try:
        author = json.loads(variables.get("JOB_SPEC", ""))["refs"]["pulls"][0]["author"]
    except (ValueError, LookupError, TypeError):
        return ""
    return author if isinstance(author, str) else ""
