"""Clusters created through all of it: replicas, the manual-trigger service, ProwJobs on a real API server, and Prow."""

import json
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import requests

from tests.conditions import until
from tests.kube.apiserver import ControlPlane
from tests.kube.faults import FaultyServer
from tests.manual_trigger.deck import Deck
from tests.manual_trigger.plank import Plank, Prow
from tests.manual_trigger.process import TOKEN, ManualTrigger
from tests.replica import Replica

JOB = "e2e-k8s-1.32"
BRIEF_CLAIMS = "tests.process.brief_claims:app"  # for a replica that may die with a claim


class Upstream(NamedTuple):
    """The server behind a faulty connection."""

    url: str
    ca_file: None = None


class Site:
    """A namespace with all components; each test starts the replicas of CIMaster that it needs."""

    def __init__(self, folder: Path, stack: ExitStack, control_plane: ControlPlane) -> None:
        self._folder, self._stack = folder, stack
        namespace = control_plane.namespace()
        control_plane.apply(namespace)
        control_plane.apply(namespace, "manual-trigger")
        self.prow = Prow(control_plane, namespace)
        stack.callback(self.prow.close)
        self.prow.install()
        self.plank = stack.enter_context(Plank(self.prow).running())
        deck = stack.enter_context(Deck().running())
        trigger_account = folder / "manual-trigger.kubeconfig"
        control_plane.service_account_kubeconfig(namespace, trigger_account, account="manual-trigger")
        where = {"MANUAL_TRIGGER_NAMESPACE": namespace, "MANUAL_TRIGGER_STATUS_URL": "https://prow.example.com"}
        self.trigger = stack.enter_context(ManualTrigger(folder, deck.url, trigger_account, **where))
        self.road = stack.enter_context(FaultyServer(Upstream(self.trigger.url)).running())
        (folder / "token").write_text(TOKEN)
        account = control_plane.service_account_kubeconfig(namespace, folder / "cimaster.kubeconfig")
        self._environment: dict[str, Any] = {
            "KUBECONFIG": str(account),
            "CIMASTER_STORE": "kubernetes",
            "CIMASTER_NAMESPACE": namespace,
            "CIMASTER_PROW_URL": self.road.url,
            "CIMASTER_PROW_TOKEN_FILE": str(folder / "token"),
            "CIMASTER_DEFAULT_PROW_JOB": JOB,
        }

    def replica(self, name: str = "a", application: str = "wsgi:app", **settings: Any) -> Replica:
        """Start a replica."""
        arguments = ("python:cimaster.gunicorn_conf", application)
        return self._stack.enter_context(
            Replica(self._folder, name, arguments=arguments, **self._environment, **settings)
        )

    def authors(self) -> list[str]:
        """Return the users for whom ProwJobs were created."""
        return [
            variable["value"]
            for job in self.prow.jobs()
            for variable in job["spec"]["pod_spec"]["containers"][0]["env"]
            if variable["name"] == "AUTHOR"
        ]


@pytest.fixture
def site(control_plane: ControlPlane, tmp_path: Path) -> Iterator[Site]:
    """All components except replicas."""
    with ExitStack() as stack:
        yield Site(tmp_path, stack, control_plane)


def creations(replica: Replica) -> list[dict[str, Any]]:
    """Return the listed creations."""
    answer = requests.get(f"{replica.url}/creations", headers={"Accept": "application/json"}, timeout=30)
    found: list[dict[str, Any]] = answer.json()["creations"]
    return found


def clusters(replica: Replica) -> list[dict[str, Any]]:
    """Return the pool."""
    answer = requests.get(f"{replica.url}/clusters", headers={"Accept": "application/json"}, timeout=30)
    found: list[dict[str, Any]] = answer.json()["clusters"]
    return found


def test_a_cluster_is_requested_built_by_prow_added_and_lent(site: Site) -> None:
    replica = site.replica()
    answer = replica.get("/createcluster", user="john", branch="master")
    assert answer.status_code == 200, answer.text
    words, brace, details = answer.text.partition("{")
    facts = json.loads(brace + details)
    (job,) = site.prow.jobs()
    name = job["metadata"]["name"]
    assert words == "cluster creation triggered successfully: "
    assert (facts["success"], facts["job_name"]) == (True, name)
    assert facts["status_link"] == f"https://prow.example.com/prowjob?prowjob={name}"
    assert facts["log_link"] == f"https://prow.example.com/log?job={JOB}&id={site.prow.job(name)['status']['build_id']}"
    assert site.authors() == ["john"]
    assert replica.get("/addcluster", cluster="new-1", region="us", name="root", creation=name).ok
    assert [(c["state"], c["cluster"]) for c in creations(replica)] == [("ready", "new-1")]
    assert replica.get("/getvacant", job="e2e", build="1").text == "new-1"


def test_a_job_is_created_once_even_if_an_answer_is_lost(site: Site) -> None:
    replica = site.replica()
    faults = ["lose_before", "lose_after", "unavailable"]
    for fault in faults:
        site.road.script.extend([fault, fault])
        assert replica.get("/createcluster", user=fault).status_code == 200, fault
    assert {creation["user"]: creation["tries"] for creation in creations(replica)} == dict.fromkeys(faults, 3)
    assert sorted(site.authors()) == sorted(faults)


def test_a_replica_killed_after_the_post_leaves_one_job_to_another(site: Site) -> None:
    site.plank.mode = "stall"  # manual-trigger waits for a build id, and its answer does not come
    doomed, other = (site.replica(name, BRIEF_CLAIMS, CIMASTER_PROW_TIMEOUT="3s") for name in ("a", "b"))
    with ThreadPoolExecutor(1) as pool:
        parameters = pool.submit(doomed.get, "/createcluster", user="john")
        until(site.prow.jobs)
        doomed.server.crash()
        assert isinstance(parameters.exception(), requests.ConnectionError)
    until(lambda: [c["state"] for c in creations(other) if c.get("tries")] == ["requested"])
    site.plank.mode = "run"
    (job,) = site.prow.jobs()
    site.plank.start(job)
    until(lambda: creations(other)[0]["state"] == "running")
    assert creations(other)[0]["jobName"] == job["metadata"]["name"]
    assert site.authors() == ["john"]
    assert other.get("/createcluster", user="john").headers["CIMaster-Repeated"] == "true"


def test_simultaneous_clicks_on_two_replicas_create_one_job_each(site: Site) -> None:
    replicas = [site.replica("a"), site.replica("b")]
    with ThreadPoolExecutor(8) as pool:
        users = ["john", "eve"] * 4
        answers = list(
            pool.map(
                lambda number: requests.get(
                    f"{replicas[number % 2].url}/createcluster", params={"user": users[number // 2]}, timeout=60
                ),
                range(8),
            )
        )
    assert {answer.status_code for answer in answers} == {200}
    assert sorted(site.authors()) == ["eve", "john"]
    assert len({answer.text for answer in answers}) == 2


def test_a_job_unknown_to_prow_is_refused_and_nothing_is_created(site: Site) -> None:
    replica = site.replica()
    for parameters, words in (
        ({"job": "e2e-k8s-1.3"}, "e2e-k8s-1.32"),
        ({"branch": "feature"}, "^release-"),
        ({"job": "pull-tessops-verify"}, "presubmit"),
    ):
        answer = replica.get("/createcluster", user="john", **parameters)
        assert (answer.status_code, answer.headers["CIMaster-Code"]) == (502, "creation_failed"), parameters
        assert words in answer.text
    assert site.prow.jobs() == []
    assert [creation["failure"] for creation in creations(replica)] == ["refused"] * 3


def test_a_job_that_cannot_be_started_is_reported_with_prows_reason(site: Site) -> None:
    site.plank.mode = "fail"
    answer = site.replica().get("/createcluster", user="john")
    assert (answer.status_code, answer.headers["CIMaster-Code"]) == (502, "creation_failed")
    assert "quota exceeded" in answer.text


@contextmanager
def built(site: Site, replicas: list[Replica]) -> Iterator[None]:
    """Act as the jobs until the block ends: each adds its cluster, through any replica that answers, and ends."""
    over = threading.Event()

    def build() -> None:
        while not over.wait(0.1):
            for job in site.prow.jobs():
                name, status = job["metadata"]["name"], job["status"]
                if status.get("build_id") and "completionTime" not in status and added(name):
                    site.prow.end(name)

    def added(name: str) -> bool:
        sent = {"cluster": f"made-{name}", "region": "us", "name": "root", "creation": name}
        for replica in replicas:
            try:
                answer = requests.get(f"{replica.url}/addcluster", params=sent, timeout=30)
            except requests.RequestException:
                continue
            return answer.ok
        return False

    thread = threading.Thread(target=build)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


def vacant(replica: Replica) -> int:
    """Return how many clusters are vacant."""
    return sum(cluster["state"] == "vacant" for cluster in clusters(replica))


def test_a_pool_stays_filled_through_faults_within_its_limit(site: Site) -> None:
    settings = {"CIMASTER_MANAGE_CLUSTER": "on", "CIMASTER_PROW_TIMEOUT": "2s"}
    replicas = [site.replica(name, BRIEF_CLAIMS, **settings) for name in ("a", "b", "c")]
    first, doomed = replicas[0], replicas[2]
    policy = {"purpose": "tess-ci", "name": "root", "min_vacant": "3", "max_total": "9", "max_creating": "3"}
    assert first.get("/setpolicy", **policy, cooldown="1s").ok
    with built(site, replicas):
        until(lambda: vacant(first) == 3)
        site.road.down = True  # before the next round, in which the trigger is unreachable
        for build in range(3):
            assert first.get("/getvacant", job="e2e", build=str(build)).ok
        until(lambda: any(c.get("reason") for c in creations(first)))
        doomed.server.crash()
        site.road.down = False
        until(lambda: vacant(first) == 3)
        for _ in range(6):
            until(lambda: first.get("/getvacant", job="e2e", build="again").ok)
        until(lambda: "limit of 9 clusters reached" in requests.get(f"{first.url}/policies", timeout=30).text)
    jobs = site.prow.jobs()
    assert len(clusters(first)) == len(jobs) == 9
    assert set(site.authors()) == {"cimaster"}
    assert {c["state"] for c in creations(first)} == {"ready"}
