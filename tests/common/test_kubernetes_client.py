"""A wrong kubeconfig stops the start with a sentence that contains no secrets; credentials are renewed."""

import http.server
import os
import shutil
import ssl
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest
import yaml

from cimaster.common.settings import BadSetting
from cimaster.manual_trigger.settings import TriggerSettings
from cimaster.provisioners import manual_trigger as provisioner
from cimaster.repository import stores
from cimaster.settings import Settings
from tests.conditions import until
from tests.conftest import LeapingClock, kube_access_by

SECRET = "a-token-of-the-tests"
SERVER = "https://10.20.30.40:6443"
PROXIES = ("ALL_PROXY", "HTTPS_PROXY", "HTTP_PROXY", "all_proxy", "https_proxy", "http_proxy", "NO_PROXY", "no_proxy")


@pytest.fixture(autouse=True)
def _no_proxies(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in PROXIES:
        monkeypatch.delenv(name, raising=False)


def kubeconfig(folder: Path, **changes: object) -> Path:
    """Write a kubeconfig that works, with changes."""
    names = {"cluster": "test", "user": "test"}
    config = {
        "clusters": [{"name": "test", "cluster": {"server": SERVER}}],
        "users": [{"name": "test", "user": {"token": SECRET}}],
        "contexts": [{"name": "test", "context": names}],
        "current-context": "test",
        **changes,
    }
    path = folder / "kubeconfig"
    path.write_text(yaml.safe_dump(config))
    return path


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"current-context": "other"}, "Expected object with name other"),
        ({"users": [{"name": "test", "token": SECRET}]}, "Expected key user"),
        (
            {"users": [{"name": "test", "user": {"auth-provider": {"name": "oidc", "config": {"refresh": SECRET}}}}]},
            "Expected key id-token",
        ),
        ({"users": [{"name": "test", "user": {"token": f"{SECRET}é"}}]}, "are not allowed in a header"),
        ({"users": [{"name": "test", "user": {"token": f"{SECRET}\0"}}]}, "are not allowed in a header"),
        ({"users": [SECRET]}, "to have 'name' key"),
        ({"users": [{"name": "test", "user": {"tokenFile": "not-there"}}]}, "not-there"),
        (
            {"clusters": [{"name": "test", "cluster": {"server": SERVER, "certificate-authority": "not-there"}}]},
            "not-there",
        ),
        ({"contexts": []}, "Expected object with name test"),
    ],
)
def test_an_odd_kubeconfig_is_reported_without_its_secrets(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, changes: dict[str, object], expected: str
) -> None:
    monkeypatch.setenv("KUBECONFIG", str(kubeconfig(tmp_path, **changes)))
    with pytest.raises(BadSetting, match="no access to a Kubernetes cluster is configured") as error:
        stores.check_access(Settings(store="kubernetes"))
    assert expected in str(error.value)
    assert SECRET not in str(error.value)
    assert error.value.__suppress_context__  # a traceback does not show the library's message


@pytest.mark.parametrize("text", ["clusters: [", "[]", "", "5", "\0"])
def test_a_file_that_is_no_kubeconfig_is_reported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    path = tmp_path / "kubeconfig"
    path.write_text(text)
    monkeypatch.setenv("KUBECONFIG", str(path))
    with pytest.raises(BadSetting, match=r"no access to a Kubernetes cluster is configured: .*\w"):
        stores.check_access(Settings(store="kubernetes"))


class TestProxies:
    """A proxy that cannot be used stops the start, whichever component would use it."""

    @pytest.fixture
    def access(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[], None]:
        monkeypatch.setenv("KUBECONFIG", str(kubeconfig(tmp_path)))
        return lambda: stores.check_access(Settings(store="kubernetes"))

    @pytest.fixture(params=["store", "manual-trigger's configuration", "provisioner"])
    def start(
        self, request: pytest.FixtureRequest, access: Callable[[], None], monkeypatch: pytest.MonkeyPatch
    ) -> Callable[[], object]:
        """Start the component that calls a server at https://10.20.30.40."""
        if request.param == "store":
            return access
        if request.param == "provisioner":
            return provisioner.Settings(url=SERVER).check
        monkeypatch.setenv("MANUAL_TRIGGER_CONFIG", f"{SERVER}/config")
        return TriggerSettings.from_environ

    @pytest.mark.parametrize("name", ["ALL_PROXY", "HTTPS_PROXY", "https_proxy", "all_proxy"])
    @pytest.mark.parametrize("scheme", ["socks5", "socks5h", "socks4"])
    def test_a_socks_proxy_names_the_variable_and_the_remedy(
        self, start: Callable[[], object], monkeypatch: pytest.MonkeyPatch, name: str, scheme: str
    ) -> None:
        monkeypatch.setenv(name, f"{scheme}://me:{SECRET}@127.0.0.1:1080")
        with pytest.raises(BadSetting, match=f"^{name} is a SOCKS proxy, which needs .* PySocks: install it") as error:
            start()
        assert "list 10.20.30.40 in NO_PROXY" in str(error.value)
        assert SECRET not in str(error.value)

    @pytest.mark.parametrize("proxy", ["socks://127.0.0.1:1080", "ftp://127.0.0.1"])
    def test_a_malformed_proxy_names_the_variable(
        self, start: Callable[[], object], monkeypatch: pytest.MonkeyPatch, proxy: str
    ) -> None:
        monkeypatch.setenv("HTTPS_PROXY", proxy)
        with pytest.raises(BadSetting, match=r"^HTTPS_PROXY is not the address of a proxy, such as http://"):
            start()

    @pytest.mark.parametrize(
        ("name", "proxy", "exempt"),
        [
            ("ALL_PROXY", "socks5://127.0.0.1:1080", "10.20.30.40"),
            ("HTTP_PROXY", "socks5://127.0.0.1:1080", ""),
            ("HTTPS_PROXY", "http://127.0.0.1:3128", ""),
        ],
    )
    def test_an_unused_or_working_proxy_stops_nothing(
        self, start: Callable[[], object], monkeypatch: pytest.MonkeyPatch, name: str, proxy: str, exempt: str
    ) -> None:
        monkeypatch.setenv(name, proxy)
        monkeypatch.setenv("NO_PROXY", exempt)
        start()

    def test_the_proxy_of_the_kubeconfig_is_named_too(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        cluster = {"server": SERVER, "proxy-url": "socks5://127.0.0.1:1080"}
        path = kubeconfig(tmp_path, clusters=[{"name": "test", "cluster": cluster}])
        monkeypatch.setenv("KUBECONFIG", str(path))
        with pytest.raises(BadSetting, match=r"^proxy-url in KUBECONFIG is a SOCKS proxy"):
            stores.check_access(Settings(store="kubernetes"))

    @pytest.mark.slow
    @pytest.mark.parametrize("arguments", [["-m", "cimaster", "serve"], ["-m", "cimaster.manual_trigger"]])
    def test_the_programs_end_with_that_sentence(self, tmp_path: Path, arguments: list[str]) -> None:
        environment = {
            "KUBECONFIG": str(kubeconfig(tmp_path)),
            "CIMASTER_STORE": "kubernetes",
            "ALL_PROXY": "socks5://127.0.0.1:1",
            "MANUAL_TRIGGER_CONFIG": "/dev/null",
        }
        ran = subprocess.run(
            [sys.executable, *arguments], env={**os.environ, **environment}, capture_output=True, text=True, timeout=60
        )
        assert ran.returncode != 0
        assert "ALL_PROXY is a SOCKS proxy" in ran.stderr
        assert "Traceback" not in ran.stderr


class Guarded:
    """An HTTPS server that answers with the name in the client's certificate, and rejects the `revoked` one."""

    def __init__(self, folder: Path) -> None:
        self.revoked = ""
        self._folder = folder
        self._make("ca", "/CN=ca", "-addext", "subjectAltName=IP:127.0.0.1")
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(folder / "ca.crt", folder / "ca.key")
        context.load_verify_locations(folder / "ca.crt")
        context.verify_mode = ssl.CERT_REQUIRED
        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self._server.daemon_threads = True
        self._server.socket = context.wrap_socket(self._server.socket, server_side=True)
        self.url = f"https://127.0.0.1:{self._server.server_address[1]}"

    def let_in(self, name: str) -> None:
        """Put a certificate of that name into the files of the client."""
        self._make("client", f"/CN={name}", "-CA", "ca.crt", "-CAkey", "ca.key")

    def _make(self, file: str, subject: str, *arguments: str) -> None:
        key = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-keyout", f"{file}.key")
        command = ("openssl", "req", "-x509", "-days", "2", *key, "-subj", subject, "-out", f"{file}.crt", *arguments)
        subprocess.run(command, cwd=self._folder, check=True, capture_output=True)

    def _handler(self) -> type[http.server.BaseHTTPRequestHandler]:
        guarded = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"  # connections are kept alive

            def log_message(self, *_: object) -> None:
                """Log nothing."""

            def do_GET(self) -> None:
                [name] = [value for ((key, value),) in self.connection.getpeercert()["subject"] if key == "commonName"]
                self.send_response(401 if name == guarded.revoked else 200)
                self.send_header("Content-Length", str(len(name)))
                self.end_headers()
                self.wfile.write(name.encode())

        return Handler

    @contextmanager
    def running(self) -> Iterator["Guarded"]:
        """Serve until the block ends."""
        thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        try:
            yield self
        finally:
            self._server.shutdown()
            thread.join()
            self._server.server_close()


@pytest.mark.skipif(not shutil.which("openssl"), reason="openssl makes the certificates")
class TestClientCertificate:
    """A client certificate is replaced on disk; connections that use the previous one are closed."""

    @pytest.fixture
    def guarded(self, tmp_path: Path) -> Iterator[Guarded]:
        with Guarded(tmp_path).running() as guarded:
            guarded.let_in("first")
            cluster = {"server": guarded.url, "certificate-authority": "ca.crt"}
            user = {"client-certificate": "client.crt", "client-key": "client.key"}
            kubeconfig(
                tmp_path, clusters=[{"name": "test", "cluster": cluster}], users=[{"name": "test", "user": user}]
            )
            yield guarded

    def test_it_is_used_once_the_previous_one_is_refused(self, guarded: Guarded, tmp_path: Path) -> None:
        with closing(kube_access_by(tmp_path / "kubeconfig")) as access:
            assert access.request("GET", "/", {}).data == b"first"
            guarded.let_in("second")
            assert access.request("GET", "/", {}).data == b"first"  # on the open connection
            guarded.revoked = "first"
            answer = access.request("GET", "/", {})
            assert (answer.status, answer.data) == (200, b"second")

    def test_it_is_used_after_a_minute(self, guarded: Guarded, tmp_path: Path) -> None:
        clock = LeapingClock()
        with closing(kube_access_by(tmp_path / "kubeconfig", clock)) as access:
            assert access.request("GET", "/", {}).data == b"first"
            guarded.let_in("second")
            clock.leapt += 61
            until(lambda: access.request("GET", "/", {}).data == b"second")
