"""The snippets of docs/cli.md: the command of each CI system runs as it stands, and so does the script."""

import re
import subprocess
import sys
from collections.abc import Mapping
from importlib.metadata import version
from pathlib import Path
from typing import Any

import click
import pytest
import urllib3
import yaml

from cimaster.cli import program
from tests.cli.conftest import ENVIRONMENT, state
from tests.docs import markdown
from tests.replica import Replica

pytestmark = pytest.mark.slow
PAGE = "docs/cli.md"
GITHUB = {"GITHUB_ACTIONS": "true", "GITHUB_JOB": "e2e", "GITHUB_RUN_ID": "118", "GITHUB_ACTOR": "ann"}
GITLAB = {"GITLAB_CI": "true", "CI_JOB_NAME": "e2e", "CI_JOB_ID": "118", "GITLAB_USER_LOGIN": "ann"}
JENKINS = {"JENKINS_URL": "https://ci/", "JOB_NAME": "e2e", "BUILD_NUMBER": "118", "BUILD_USER_ID": "ann"}
PROW = {
    "PROW_JOB_ID": "x",
    "JOB_NAME": "e2e",
    "BUILD_ID": "118",
    "JOB_SPEC": '{"refs": {"pulls": [{"author": "ann"}]}}',
}


def snippet(key: str) -> Any:
    """Return the YAML snippet that has this key at its top."""
    (found,) = [read for block in markdown.blocks(PAGE, "yaml") if key in (read := yaml.safe_load(block.text))]
    return found[key]


def commands() -> dict[str, tuple[list[str], Mapping[str, str]]]:
    """Return the command of each CI system as that system runs it, with the variables that the system sets."""
    (jenkinsfile,) = markdown.blocks(PAGE, "groovy")
    (step,) = re.findall(r"\bsh '([^']+)'", jenkinsfile.text)
    (run,) = [step["run"] for step in snippet("jobs")["e2e"]["steps"] if "run" in step]
    (script,) = snippet("e2e")["script"]
    (job,) = snippet("periodics")
    (container,) = job["spec"]["containers"]
    return {
        "GitHub Actions": (["bash", "-e", "-c", run], GITHUB),
        "Jenkins": (["sh", "-xe", "-c", step], JENKINS),
        "GitLab CI": (["bash", "-c", f"set -eo pipefail\n{script}\n"], GITLAB),
        "Prow": (container["command"] + container["args"], PROW),
    }


@pytest.fixture
def tools(tmp_path: Path) -> Path:
    """A folder with `cimaster`, and with a `make` that says what it sees."""
    programs = {
        "make": 'echo "$1 on $CIMASTER_CLUSTER"; exec cimaster list',
        "cimaster": f'exec {sys.executable} -m cimaster "$@"',
    }
    folder = tmp_path / "bin"
    folder.mkdir()
    for name, script in programs.items():
        (folder / name).write_text(f"#!/bin/sh\n{script}\n")
        (folder / name).chmod(0o755)
    return folder


@pytest.mark.parametrize("system", commands())
def test_the_job_of_the_ci_system_runs(system: str, replica: Replica, tools: Path) -> None:
    command, variables = commands()[system]
    environment = {**ENVIRONMENT, **variables, "CIMASTER_SERVER": replica.url, "PATH": f"{tools}:{ENVIRONMENT['PATH']}"}
    del environment["CIMASTER_NAME"]
    done = subprocess.run(command, capture_output=True, text=True, env=environment, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("e2e on cluster-01\n")
    assert "occupied by e2e #118 for ann" in done.stdout
    assert state(replica) == "vacant"


def test_the_script_runs(replica: Replica) -> None:
    (block,) = markdown.blocks(PAGE, "python")
    script = block.text.replace("http://127.0.0.1:8080", replica.url)
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("testing on cluster-01 r\ncluster cluster-01 is held by alice until ")
    assert state(replica) == "vacant"


def test_click_and_urllib3_are_all_it_needs(replica: Replica, tmp_path: Path) -> None:
    for package in (click, urllib3):
        folder = Path(package.__path__[0])
        (tmp_path / folder.name).symlink_to(folder)
    (tmp_path / "cimaster").symlink_to(markdown.ROOT / "cimaster")
    command = [sys.executable, "-S", "-m", "cimaster", "list", "--server", replica.url]
    environment = {**ENVIRONMENT, "PYTHONPATH": str(tmp_path)}
    listed = subprocess.run(command, capture_output=True, text=True, env=environment, timeout=60, check=False)
    assert "cluster-01" in listed.stdout, listed.stderr


def test_the_page_names_every_command() -> None:
    from_help = set(re.findall(r"^  ([a-z][a-z-]+)  ", help_text(), re.MULTILINE))
    assert len(from_help) >= 20
    assert from_help <= {*markdown.ticked(PAGE), "run"}


def help_text() -> str:
    """Return the help of the program."""
    command = [sys.executable, "-m", "cimaster", "--help"]
    return subprocess.run(command, capture_output=True, text=True, env=ENVIRONMENT, timeout=60, check=True).stdout


def test_the_version_is_that_of_the_package(capsys: pytest.CaptureFixture[str]) -> None:
    assert program.main(["--version"]) == 0
    assert capsys.readouterr().out == f"cimaster {version('cimaster')}\n"
