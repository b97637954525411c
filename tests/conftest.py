"""The common fixtures: the real application over both stores, with a clock that tests can move."""

import contextlib
import gc
import os
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Protocol

import hypothesis
import pytest
from flask import Flask
from flask.testing import FlaskClient
from jinja2.bccache import Bucket, BytecodeCache
from kubernetes.client import CoreV1Api
from kubernetes.client.exceptions import NotFoundException
from werkzeug.routing import Rule

from cimaster.app import create_app
from cimaster.common.clock import Clock
from cimaster.common.kubernetes_client import KubernetesClient
from cimaster.provisioners import Provisioner
from cimaster.repository.configmap_repository import ConfigMapRepository
from cimaster.repository.stores.kubernetes import KubernetesStore
from cimaster.repository.stores.port import Store
from cimaster.repository.stores.sqlite import SQLiteStore
from cimaster.services.clusters import Clusters
from cimaster.settings import Settings
from cimaster.web.components import components_of
from tests.kube.apiserver import ControlPlane
from tests.required import RequiredFiles, write_files
from tests.server import free_ports

ADMIN = "root"

# The folders whose tests do not share the API server of the application's, and what their own is for.
_KUBE_GROUPS = {"api": "interface", "chaos": "faults", "kube": "faults", "process": "processes"}

# No example fails because the machine is busy. `make quick` runs fewer examples than each test declares.
_UNTIMED = hypothesis.settings(deadline=None, suppress_health_check=[hypothesis.HealthCheck.too_slow])
hypothesis.settings.register_profile("full", _UNTIMED)
hypothesis.settings.register_profile("quick", _UNTIMED, max_examples=10)
hypothesis.settings.load_profile("full")


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark tests that need an API server, a browser or processes, and group those that one worker must run.

    The tests of a file form a group, and those that share an API server. The latter run first: they take longest.
    """
    for item in items:
        fixtures = getattr(item, "fixturenames", ())
        if "control_plane" in fixtures:
            item.add_marker(pytest.mark.kube)
        if "browser" in fixtures:
            item.add_marker(pytest.mark.browser)
        if item.nodeid.startswith("tests/process"):
            item.add_marker(pytest.mark.slow)
    items.sort(key=lambda item: item.get_closest_marker("kube") is None)
    for item in items:
        file = item.nodeid.partition("::")[0]
        kind = _KUBE_GROUPS.get(file.split("/")[1], "application")
        item.add_marker(pytest.mark.xdist_group(f"kube {kind}" if item.get_closest_marker("kube") else file))


def pytest_collection_finish(session: pytest.Session) -> None:
    """Check that groups are heeded, and collect garbage rarely, and never in what the tests import.

    Garbage took a third of the start of an application.
    """
    grouped = session.config.getoption("loadgroup", default=False)  # only in a worker of pytest-xdist
    assert not grouped or all("@" in item.nodeid for item in session.items), "pytest-xdist ignores the groups"
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000)


class MovableClock(Clock):
    """The current time, plus the time that a test has added."""

    def __init__(self) -> None:
        self.moved = timedelta()

    def __call__(self) -> datetime:
        return super().__call__() + self.moved

    def forward(self, **duration: float) -> None:
        """Add a time, for example `forward(hours=6)`."""
        self.moved += timedelta(**duration)


class LeapingClock(Clock):
    """A clock that a test can advance without waiting."""

    leapt = 0.0

    def monotonic(self) -> float:
        """Return the seconds, plus those that a test has added."""
        return super().monotonic() + self.leapt


@pytest.fixture
def clock() -> MovableClock:
    """A clock that the application under test reads."""
    return MovableClock()


@pytest.fixture(scope="session")
def control_plane() -> Iterator[ControlPlane]:
    """A real API server for the whole run; skips the test if it was not built."""
    if ControlPlane.assets() is None:
        if os.environ.get("CIMASTER_TEST_ALL"):
            pytest.fail("kube-apiserver and etcd are not there: make kube builds them")
        pytest.skip("kube-apiserver and etcd are not there: make kube builds them (5 min, needs Go 1.26)")
    with ControlPlane() as running:
        yield running


@pytest.fixture(scope="session")
def kube_access(control_plane: ControlPlane) -> Iterator[str]:
    """A namespace with k8s/ applied, and KUBECONFIG set to act as its service account; returns the namespace."""
    namespace = control_plane.namespace()
    control_plane.apply(namespace)
    path = control_plane.service_account_kubeconfig(namespace, control_plane.folder / "cimaster.kubeconfig")
    os.environ["KUBECONFIG"] = str(path)
    yield namespace
    del os.environ["KUBECONFIG"]


def empty_config_map(control_plane: ControlPlane, namespace: str, name: str = "clusters") -> None:
    """Put the ConfigMap and its archive of history back into the state in which k8s/ ships them."""
    with control_plane.admin as admin:
        core = CoreV1Api(admin)
        with contextlib.suppress(NotFoundException):
            core.delete_namespaced_config_map(name, namespace)
        empty: Any = {"metadata": {"name": name}}
        core.create_namespaced_config_map(namespace, empty)
        for each in core.list_namespaced_config_map(namespace).items:
            own_name = each.metadata.name if each.metadata else None
            if own_name and own_name.startswith(f"{name}-history-") and each.data:
                each.data = each.binary_data = None
                core.replace_namespaced_config_map(own_name, namespace, each)


@pytest.fixture(params=["sqlite", pytest.param("kubernetes", marks=pytest.mark.kube)])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Store:
    """An empty store of either kind; a file whose tests depend on none overrides this with `embedded_store`."""
    if request.param == "sqlite":
        return SQLiteStore(str(tmp_path / "pool.db"), "clusters")
    namespace = request.getfixturevalue("kube_access")
    empty_config_map(request.getfixturevalue("control_plane"), namespace)
    return KubernetesStore(kube_access_by(), namespace, "clusters")


@pytest.fixture
def embedded_store(tmp_path: Path) -> SQLiteStore:
    """An empty embedded store."""
    return SQLiteStore(str(tmp_path / "pool.db"), "clusters")


@pytest.fixture
def another_store(store: Store, request: pytest.FixtureRequest, tmp_path: Path) -> Store:
    """The same store, as another replica opens it."""
    if isinstance(store, SQLiteStore):
        return SQLiteStore(str(tmp_path / "pool.db"), "clusters")
    return KubernetesStore(kube_access_by(), request.getfixturevalue("kube_access"), "clusters")


def kube_access_by(kubeconfig: Path | None = None, clock: Clock | None = None) -> KubernetesClient:
    """Return access by a kubeconfig, by default the one in KUBECONFIG."""
    with pytest.MonkeyPatch.context() as environment:
        if kubeconfig:
            environment.setenv("KUBECONFIG", str(kubeconfig))
        return KubernetesClient(16, clock)


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """Settings with an admin called root."""
    folder = tmp_path / "botadmin"
    folder.mkdir()
    (folder / "users").write_text(f"{ADMIN};Bob")
    return Settings(admin_dir=str(folder), store="sqlite:unused.db", port=free_ports(1)[0])


@pytest.fixture
def files(tmp_path: Path) -> RequiredFiles:
    """The operator's files for `auth = required`, with a token for each role."""
    return write_files(tmp_path / "auth")


@pytest.fixture
def provisioner() -> Provisioner | None:
    """The provisioner: none, unless a test file overrides this."""
    return None


class CompiledTemplates(BytecodeCache):
    """Templates that one application compiled, for all others: compiling a page's takes longer than most tests."""

    def __init__(self) -> None:
        self._compiled: dict[str, bytes] = {}

    def load_bytecode(self, bucket: Bucket) -> None:
        """Fill in a template if it was compiled before."""
        if bucket.key in self._compiled:
            bucket.bytecode_from_string(self._compiled[bucket.key])

    def dump_bytecode(self, bucket: Bucket) -> None:
        """Keep a template that was compiled now."""
        self._compiled[bucket.key] = bucket.bytecode_to_string()


_TEMPLATES = CompiledTemplates()


def _remember_url_builders() -> None:
    """Have all applications share the functions that build the URLs of a rule: compiling them took most of a test."""
    compile_builder, builders = Rule._compile_builder, dict[Any, Any]()

    def remembered(rule: Rule, append_unknown: bool = True) -> Any:
        key = (rule.rule, tuple(rule._trace), str(rule.defaults), append_unknown)
        if key not in builders:
            builders[key] = compile_builder(rule, append_unknown)
        return builders[key]

    pytest.MonkeyPatch().setattr(Rule, "_compile_builder", remembered)


_remember_url_builders()


@pytest.fixture
def app(settings: Settings, store: Store, clock: MovableClock, provisioner: Provisioner | None) -> Iterator[Flask]:
    """The whole application with its threads running."""
    app = create_app(settings, store, clock, provisioner)
    app.jinja_env.bytecode_cache = _TEMPLATES
    lifecycle = components_of(app).lifecycle
    lifecycle.start()
    yield app
    lifecycle.stop()


@pytest.fixture
def client(app: Flask) -> FlaskClient:
    """A client of the application."""
    return app.test_client()


@pytest.fixture
def service(app: Flask) -> Clusters:
    """The service behind the application."""
    found: Clusters = components_of(app).clusters
    return found


@pytest.fixture
def repository(service: Clusters) -> ConfigMapRepository:
    """The repository behind the service."""
    return service.repository


class Add(Protocol):
    """The type of the fixture `add`."""

    def __call__(self, *names: str, region: str = "us-west", **facts: str | list[str]) -> None: ...


@pytest.fixture
def add(client: FlaskClient) -> Add:
    """Add clusters as the admin: `add("cluster-01", "cluster-02", purpose="tnet-ci", osimage="flatcar")`."""

    def add(*names: str, region: str = "us-west", **facts: str | list[str]) -> None:
        for name in names:
            answer = client.post("/addcluster", data={"cluster": name, "region": region, "name": ADMIN, **facts})
            assert answer.status_code == 200, answer.text

    return add
