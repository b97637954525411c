"""A real etcd and kube-apiserver on loopback, because a fake server proves nothing about rights, refusals and costs."""

import atexit
import json
import os
import signal
import subprocess
import tempfile
import uuid
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import urllib3
import yaml
from kubernetes.client import ApiClient, Configuration

from ..server import Server, ServerFailed, free_ports
from .kustomize import MANIFESTS, built, path_of, place

HERE = Path(__file__).parent


class ControlPlane:
    """An API server with RBAC over an etcd of its own, in a temporary folder; a context manager.

    No controllers run: a Deployment is only stored, and a deleted namespace never goes away.
    """

    def __init__(self) -> None:
        assets = self.assets()
        if assets is None:
            raise ServerFailed("etcd and kube-apiserver are not built: run tests/kube/build.sh")
        self._folder = tempfile.TemporaryDirectory(prefix="cimaster-kube-", ignore_cleanup_errors=True)
        self.folder = Path(self._folder.name)
        self._token = uuid.uuid4().hex
        etcd_port, peer_port, api_port = free_ports(3)
        self.etcd_url = f"http://127.0.0.1:{etcd_port}"
        self.url = f"https://127.0.0.1:{api_port}"
        self.ca_file = self.folder / "certs" / "apiserver.crt"
        self._etcd = Server(self._etcd_command(assets, peer_port), self.folder / "etcd.log")
        self._apiserver = Server(self._apiserver_command(assets, api_port), self.folder / "apiserver.log")
        self._http: urllib3.PoolManager | None = None

    @staticmethod
    def assets() -> Path | None:
        """Return the folder with both programs (KUBEBUILDER_ASSETS, else the cache of build.sh), None if not built."""
        where = subprocess.run([str(HERE / "build.sh"), "--where"], capture_output=True, text=True, check=True)
        folder = Path(where.stdout.strip())
        return folder if all(os.access(folder / name, os.X_OK) for name in ("etcd", "kube-apiserver")) else None

    def _etcd_command(self, assets: Path, peer_port: int) -> list[str]:
        peer_url = f"http://127.0.0.1:{peer_port}"
        return [
            str(assets / "etcd"),
            f"--data-dir={self.folder / 'etcd'}",
            f"--listen-client-urls={self.etcd_url}",
            f"--advertise-client-urls={self.etcd_url}",
            f"--listen-peer-urls={peer_url}",
            f"--initial-advertise-peer-urls={peer_url}",
            f"--initial-cluster=default={peer_url}",
            # Each write stores the whole object: a long load run fills the default of 2 GB.
            "--quota-backend-bytes=8589934592",
            "--log-level=warn",
        ]

    def _apiserver_command(self, assets: Path, port: int) -> list[str]:
        tokens = self.folder / "tokens.csv"
        tokens.write_text(f'{self._token},admin,admin,"system:masters"\n')
        tokens.chmod(0o600)
        # The server creates this key with its certificate before it needs one to sign tokens: no openssl is needed.
        key = self.folder / "certs" / "apiserver.key"
        return [
            str(assets / "kube-apiserver"),
            f"--etcd-servers={self.etcd_url}",
            "--etcd-compaction-interval=1m",
            "--bind-address=127.0.0.1",
            "--advertise-address=127.0.0.1",
            f"--secure-port={port}",
            f"--cert-dir={self.folder / 'certs'}",
            f"--token-auth-file={tokens}",
            "--authorization-mode=RBAC",
            "--disable-admission-plugins=ServiceAccount",
            "--endpoint-reconciler-type=none",
            "--service-cluster-ip-range=10.0.0.0/24",
            "--service-account-issuer=https://kubernetes.default.svc",
            f"--service-account-key-file={key}",
            f"--service-account-signing-key-file={key}",
            "-v=0",
        ]

    @property
    def servers(self) -> tuple[Server, Server]:
        """Return the processes, for measurements of their cost."""
        return self._apiserver, self._etcd

    def __enter__(self) -> Self:
        """Start both servers and wait until they are ready."""
        atexit.register(self.close)
        try:
            self.start_etcd()
            self.start_apiserver()
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop both servers and remove their folder."""
        self.close()

    def close(self) -> None:
        """Stop both servers and remove their folder; harmless when repeated."""
        atexit.unregister(self.close)
        if self._http is not None:
            self._http.clear()
        self._apiserver.stop()
        # The state is thrown away, so etcd has nothing to finish.
        self._etcd.kill()
        self._folder.cleanup()

    def start_etcd(self) -> None:
        """Start etcd on its old port and data, and wait until it is healthy."""
        self._etcd.start()
        with urllib3.PoolManager(retries=False) as http:
            self._etcd.wait_until(lambda: http.request("GET", f"{self.etcd_url}/health", timeout=2.0).status == 200)

    def stop_etcd(self) -> None:
        """Stop etcd; its data stay."""
        # On SIGTERM alone it waits 7 s for the watches of the API server, which never end on their own.
        self._etcd.stop(1.0)

    def start_apiserver(self) -> None:
        """Start the API server on its old port, and wait until it is ready."""
        self._apiserver.start()
        self.wait_until_ready()

    def wait_until_ready(self) -> None:
        """Wait until the API server answers that it is ready, for instance after etcd has come back."""
        self._apiserver.wait_until(lambda: self.ca_file.exists() and self._request("GET", "/readyz").status == 200)

    def stop_apiserver(self) -> None:
        """Stop the API server; it finishes the requests under way."""
        self._apiserver.stop()

    def kill_apiserver(self) -> None:
        """Kill the API server in the middle of its requests."""
        self._apiserver.kill()

    def pause_apiserver(self) -> None:
        """Freeze the API server: connections open but get no answer."""
        self._apiserver.send(signal.SIGSTOP)

    def resume_apiserver(self) -> None:
        """Resume a frozen API server."""
        self._apiserver.send(signal.SIGCONT)

    @property
    def admin(self) -> ApiClient:
        """Return a new client that may do everything."""
        return self.client(self._token)

    def client(self, token: str) -> ApiClient:
        """Return a new client that acts as the owner of a token."""
        configuration = Configuration(host=self.url, ssl_ca_cert=str(self.ca_file))
        configuration.api_key = {"BearerToken": f"Bearer {token}"}
        configuration.retries = False
        return ApiClient(configuration)

    def namespace(self) -> str:
        """Create a namespace and return its name."""
        name = f"test-{uuid.uuid4().hex[:12]}"
        self._call("POST", "/api/v1/namespaces", {"metadata": {"name": name}})
        return name

    def apply(self, namespace: str, folder: str = "") -> None:
        """Apply the manifests that a kustomization in k8s/ lists, as kustomize would for that namespace."""
        for manifest in built(MANIFESTS / folder):
            place(manifest, namespace)
            self.put(manifest)

    def put(self, manifest: dict[str, Any]) -> None:
        """Apply one manifest, each field of which the API server must know."""
        query = "fieldManager=cimaster-tests&force=true&fieldValidation=Strict"
        self._call("PATCH", f"{path_of(manifest)}?{query}", manifest, "application/apply-patch+yaml")

    def define(self, definition: dict[str, Any]) -> None:
        """Install a CustomResourceDefinition if it is missing, and wait until the API server serves its objects."""
        kinds = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
        answer = self._request("POST", kinds, json.dumps(definition).encode())
        if answer.status not in (201, 409):
            raise self._apiserver.failure(f"POST {kinds}: {answer.status} {answer.data.decode()}")
        spec = definition["spec"]
        objects = f"/apis/{spec['group']}/{spec['versions'][0]['name']}/{spec['names']['plural']}"
        self._apiserver.wait_until(lambda: self._request("GET", objects).status == 200)

    def service_account_kubeconfig(
        self, namespace: str, path: Path, address: str = "", account: str = "cimaster"
    ) -> Path:
        """Write a kubeconfig that acts as a service account for a day, and return its path.

        `address` is the address of the API server, if not its own.
        """
        return self.kubeconfig(path, {"token": self.token(namespace, account)}, address)

    def admin_kubeconfig(self, path: Path) -> Path:
        """Write a kubeconfig that may do everything, and return its path."""
        return self.kubeconfig(path, {"token": self._token})

    def token(self, namespace: str, account: str = "cimaster") -> str:
        """Return a token of a service account, for a day."""
        path = f"/api/v1/namespaces/{namespace}/serviceaccounts/{account}/token"
        found: str = self._call("POST", path, {"spec": {"expirationSeconds": 86400}})["status"]["token"]
        return found

    def kubeconfig(self, path: Path, user: dict[str, Any], address: str = "") -> Path:
        """Write a kubeconfig for a user with these credentials, and return its path."""
        cluster = {"server": address or self.url, "certificate-authority": str(self.ca_file)}
        config = {
            "apiVersion": "v1",
            "kind": "Config",
            "clusters": [{"name": "test", "cluster": cluster}],
            "users": [{"name": "cimaster", "user": user}],
            "contexts": [{"name": "test", "context": {"cluster": "test", "user": "cimaster"}}],
            "current-context": "test",
        }
        path.write_text(yaml.safe_dump(config))
        path.chmod(0o600)
        return path

    def read(self, path: str) -> Any:
        """Return what the API server has at a path, for example the description of an API group."""
        return self._call("GET", path, None)

    def _call(self, method: str, path: str, body: Any, content_type: str = "application/json") -> Any:
        answer = self._request(method, path, json.dumps(body).encode(), content_type)
        if answer.status >= 400:
            raise self._apiserver.failure(f"{method} {path}: {answer.status} {answer.data.decode()}")
        return answer.json()

    def _request(
        self, method: str, path: str, body: bytes | None = None, content_type: str = "application/json"
    ) -> urllib3.BaseHTTPResponse:
        if self._http is None:
            self._http = urllib3.PoolManager(ca_certs=str(self.ca_file), retries=False, timeout=10.0)
        headers = {"Authorization": f"Bearer {self._token}", "Content-Type": content_type}
        return self._http.request(method, self.url + path, body=body, headers=headers)
