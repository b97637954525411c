"""The commands of the README and of docs/ work as documented, including the script for CI jobs."""

import os
import shlex
import shutil
import signal
import subprocess
import sys
import uuid
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import requests
from kubernetes.client import AppsV1Api, CoreV1Api

from cimaster.settings import Settings
from tests.conditions import until
from tests.docs import kubectl, markdown
from tests.docs.commands import CI_SCRIPT, CLUSTER, MAKE, SERVICE, TRIGGER, commands, kind_of, pages_with
from tests.kube.apiserver import ControlPlane
from tests.monitoring.test_manifests import define_kinds
from tests.process.conftest import ONE_STORE, Start, fill, records
from tests.process.test_waiting import BRIEF, tickets
from tests.replica import Replica
from tests.required import environment, token_of

ADMIN = "admin"
DEPLOYED = {  # by the commands of a page
    "README.md": {"cimaster"},
    "docs/manual-trigger.md": {"manual-trigger"},
    "docs/operations.md": {"cimaster", "cimaster-oauth2-proxy"},
}
OLD_POOL = '[{"name": "cluster-01", "region": "us-west", "status": "finished"}]'


def script(replica: Replica, test: str) -> "subprocess.Popen[str]":
    """Run the script with a command in place of the test."""
    (script_text,) = commands("README.md", CI_SCRIPT)
    steps, comment = script_text.split("# ... test on $CLUSTER")
    assert "renewlease" in comment
    job: Mapping[str, str] = {"CIMASTER": replica.url, "BUILD": "7", "JOB": "e2e [3.11] & 1/2", "AUTHOR": "ann[bot]+ci"}
    variables = "".join(f"{name}={shlex.quote(value)}\n" for name, value in job.items())
    return subprocess.Popen(
        ["bash", "-c", f"{variables}{steps}{test}"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


@ONE_STORE
def test_a_job_tests_on_its_cluster_and_gives_it_back_at_its_end(start: Start) -> None:
    replica = start()
    fill(replica, 1)
    with script(replica, 'echo "testing on $CLUSTER"; exit 3') as job:
        printed, errors = job.communicate(timeout=60)
    assert printed == "testing on cluster-000\ncluster cluster-000 is finished\n", errors
    assert job.returncode == 3
    (record,) = records(replica).values()
    assert (record["state"], record["lastTriggerName"]) == ("vacant", "ann[bot]+ci")
    assert record["lastJob"] == "e2e [3.11] & 1/2"


@ONE_STORE
def test_a_job_waits_through_several_tries_for_its_turn(start: Start) -> None:
    replica = start("a", BRIEF)
    fill(replica, 1)
    assert replica.get("/getvacant", job="first", build="1").ok
    with script(replica, 'echo "testing on $CLUSTER"') as job:
        until(lambda: replica.server.log.read_text().count("POST /getvacant 429") >= 2)
        assert replica.get("/finishtest", cluster="cluster-000", job="first", build="1").ok
        printed, errors = job.communicate(timeout=60)
    assert printed == "testing on cluster-000\ncluster cluster-000 is finished\n", errors
    assert job.returncode == 0


@ONE_STORE
def test_a_job_waits_on_after_a_restart_of_the_service(start: Start) -> None:
    replica = start("a", BRIEF)
    fill(replica, 1)
    assert replica.get("/getvacant", job="first", build="1").ok
    with script(replica, 'echo "testing on $CLUSTER"') as job:
        until(lambda: "7" in tickets(replica))
        replica.server.stop()
        assert job.stderr
        next(line for line in job.stderr if "connect" in line)
        replica.start()
        assert replica.get("/finishtest", cluster="cluster-000", job="first", build="1").ok
        printed, errors = job.communicate(timeout=180)  # curl's pauses double at each refused connection
    assert printed == "testing on cluster-000\ncluster cluster-000 is finished\n", errors


@ONE_STORE
def test_a_job_that_cannot_have_one_says_why_and_fails(start: Start) -> None:
    replica = start()
    with script(replica, "echo never") as job:
        printed, errors = job.communicate(timeout=60)
    assert job.returncode == 1
    assert "this pool has no tess-ci cluster" in errors
    assert "never" not in printed


@ONE_STORE
def test_a_job_that_is_ended_while_it_waits_leaves_the_queue(start: Start) -> None:
    replica = start()
    fill(replica, 1)
    assert replica.get("/getvacant", job="first", build="1").ok
    with script(replica, "echo never") as job:
        until(lambda: "7" in tickets(replica))
        os.killpg(job.pid, signal.SIGTERM)
        printed, _ = job.communicate(timeout=60)
    assert job.returncode == -signal.SIGTERM
    assert "is no longer waiting" in printed
    assert tickets(replica) == {}


def run(script: str, folder: Path, **environment: str) -> str:
    """Run commands as a reader would paste them, each of which must succeed; return what they print."""
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", script],
        check=False,
        capture_output=True,
        text=True,
        timeout=120,
        cwd=folder,
        env={**os.environ, "PATH": f"{folder}:{Path(sys.executable).parent}:{os.environ['PATH']}", **environment},
    )
    assert done.returncode == 0, f"{script}\n{done.stdout}\n{done.stderr}"
    return done.stdout


def program(path: Path, script: str) -> Path:
    """Write a program for the shell, and return its path."""
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)
    return path


def test_every_page_with_commands_is_tried_somewhere() -> None:
    kinds = {kind_of(block) for page in markdown.PAGES for block in markdown.blocks(page, "sh")}
    assert kinds == {CI_SCRIPT, MAKE, CLUSTER, TRIGGER, SERVICE}
    assert pages_with(CI_SCRIPT) == ["README.md"]
    assert pages_with(TRIGGER) == ["docs/manual-trigger.md"]  # tests/manual_trigger runs that one


@pytest.mark.skipif(not shutil.which("make"), reason="there is no make")
@pytest.mark.parametrize("page", pages_with(MAKE))
def test_make_has_the_targets_of_the_page(page: str) -> None:
    for block in commands(page, MAKE):
        run(f'make() {{ command make -n "$@"; }}\n{block}', markdown.ROOT)


@pytest.fixture
def sample_pool(tmp_path: Path) -> dict[str, str]:
    """The settings of `make run`, except that its program creates clusters immediately, and none for the user prow."""
    (tmp_path / "admins").mkdir()
    (tmp_path / "admins" / "users").write_text(ADMIN)
    sample = markdown.ROOT / "cimaster" / "samples"
    creates = program(tmp_path / "create", f'[ "$AUTHOR" != prow ] && exec {sample}/create-cluster.sh')
    environment = {
        "CIMASTER_STORE": f"sqlite:{tmp_path / 'pool.db'}",
        "CIMASTER_ADMIN_DIR": str(tmp_path / "admins"),
        "CIMASTER_MANAGE_CLUSTER": "on",
        "CIMASTER_PROVISIONER": "command",
        "CIMASTER_COMMAND_PROGRAM": str(creates),
        "CIMASTER_COMMAND_ENVIRONMENT": "CREATE_SECONDS",
        "CREATE_SECONDS": "0",
        "CIMASTER_CHECKS_FILE": str(sample / "checks.ini"),
        "WIPE_SECONDS": "0",
    }
    run(f"cimaster import {sample}/pool.yaml", tmp_path, **environment)
    return environment


@pytest.mark.parametrize("page", pages_with(SERVICE))
def test_the_service_works_as_the_page_says(page: str, sample_pool: dict[str, str], tmp_path: Path) -> None:
    with Replica(tmp_path, code=None, **sample_pool) as replica:
        assert replica.get("/createcluster", user="prow").ok
        listed = requests.get(f"{replica.url}/creations", headers={"Accept": "application/json"}, timeout=10)
        (creation,) = listed.json()["creations"]
        variables = {"CIMASTER": replica.url, "NAME": "cluster-31", "ADMIN": ADMIN, "PROW_JOB_ID": creation["id"]}
        variables["CIMASTER_SERVER"] = replica.url  # the client's default is the address of make run
        variables |= {"CIMASTER_JOB": "e2e", "CIMASTER_BUILD": "7"}  # as a CI system says
        variables["TOKEN_FILE"] = "/dev/null"  # in open mode no token is read
        program(tmp_path / "make", '[ "$1" = e2e ] && [ "$CIMASTER_CLUSTER" ]')
        for block in commands(page, SERVICE):
            script = block.replace(f"http://127.0.0.1:{Settings.port}", replica.url)
            run(script, tmp_path, **sample_pool, **variables)


def test_the_header_of_the_readme_is_what_a_service_that_requires_it_needs(tmp_path: Path) -> None:
    (script,) = [block.text for block in markdown.blocks("README.md", "sh") if "auth-header" in block.text]
    (tmp_path / "token").write_text(token_of("ci-1"))
    with Replica(
        tmp_path, CIMASTER_STORE=f"sqlite:{tmp_path / 'pool.db'}", **environment(tmp_path / "auth")
    ) as replica:
        replica.http.headers["Authorization"] = f"Bearer {token_of('admin-1')}"
        fill(replica, 1)
        script = script.replace(f"http://127.0.0.1:{Settings.port}", replica.url)
        assert run(script, tmp_path, TOKEN_FILE=str(tmp_path / "token")) == "cluster cluster-000 is finished\n"
        assert (tmp_path / "auth-header").stat().st_mode & 0o077 == 0


def names(listed: Any) -> set[str]:
    """Return the names of objects that the API server listed."""
    return {item.metadata.name for item in listed.items}


@pytest.mark.parametrize("page", pages_with(CLUSTER))
def test_a_cluster_accepts_the_commands_of_the_page(page: str, control_plane: ControlPlane, tmp_path: Path) -> None:
    for name in ("k8s", "Dockerfile"):
        (tmp_path / name).symlink_to(markdown.ROOT / name)
    define_kinds(control_plane)  # for the overlay with the alerts
    program(tmp_path / "kubectl", f'exec {sys.executable} {kubectl.__file__} "$@"')
    program(tmp_path / "docker", '[ "$1 $2" = "build -t" ] && [ -f "$4/Dockerfile" ]')
    blocks = commands(page, CLUSTER)
    creates_namespace = "kubectl create namespace" in "".join(blocks)
    namespace = f"test-{uuid.uuid4().hex[:12]}" if creates_namespace else control_plane.namespace()
    pod = tmp_path / "pod.kubeconfig"
    environment = {
        "KUBECONFIG": str(control_plane.admin_kubeconfig(tmp_path / "admin.kubeconfig")),
        "POD_KUBECONFIG": str(pod),
        "DOCS_NAMESPACE": namespace,
        "PYTHONPATH": str(markdown.ROOT),
        "CIMASTER_STORE": f"sqlite:{tmp_path / 'pool.db'}",
        "TOKEN": "a-token",
        "CLIENT_SECRET": "a-secret",
        "EDITOR": "true",
    }
    with control_plane.admin as admin:
        core, apps = CoreV1Api(admin), AppsV1Api(admin)
        for block in blocks:
            run(block, tmp_path, **environment)
            if not pod.exists() and "clusters" in names(core.list_namespaced_config_map(namespace)):
                core.patch_namespaced_config_map("clusters", namespace, {"data": {"cluster.json": OLD_POOL}})
                control_plane.service_account_kubeconfig(namespace, pod)
        deployed = names(apps.list_namespaced_deployment(namespace))
    assert deployed == DEPLOYED[page]
