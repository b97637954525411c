"""A fake of plank, Prow's controller of ProwJobs: gives each a build id, or does what a test says."""

import itertools
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from typing import Any

import urllib3

from cimaster.common import yaml_core_schema
from tests.kube.apiserver import ControlPlane
from tests.manual_trigger.deck import DATA

_DEFINITIONS = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
_FIRST_BUILD = 2124730448042004480


class Prow:
    """The ProwJobs of a namespace, with an admin's access."""

    def __init__(self, control_plane: ControlPlane, namespace: str) -> None:
        self._admin = control_plane.admin
        self.url = f"/apis/prow.k8s.io/v1/namespaces/{namespace}/prowjobs"

    def call(self, method: str, path: str, body: Any = None, **options: Any) -> urllib3.BaseHTTPResponse:
        """Call the API server as its admin."""
        configuration = self._admin.configuration
        kind = "application/merge-patch+json" if method == "PATCH" else "application/json"
        headers = {"Authorization": configuration.api_key["BearerToken"], "Content-Type": kind}
        return self._admin.rest_client.pool_manager.request(
            method,
            configuration.host + path,
            headers=headers,
            timeout=30.0,
            retries=False,
            body=None if body is None else json.dumps(body).encode(),
            **options,
        )

    def install(self) -> None:
        """Install the CRD of ProwJobs, and wait until the API server serves them."""
        definition = yaml_core_schema.read((DATA / "prowjob_crd.yaml").read_bytes())
        answer = self.call("POST", _DEFINITIONS, definition)
        assert answer.status in (201, 409), answer.data
        while self.call("GET", self.url).status != 200:
            pass

    def jobs(self) -> list[dict[str, Any]]:
        """Return all ProwJobs."""
        items: list[dict[str, Any]] = self.call("GET", self.url).json()["items"]
        return items

    def job(self, name: str) -> dict[str, Any]:
        """Return a ProwJob."""
        answer = self.call("GET", f"{self.url}/{name}")
        assert answer.status == 200, answer.data
        read: dict[str, Any] = answer.json()
        return read

    def create(self, prowjob: dict[str, Any]) -> urllib3.BaseHTTPResponse:
        """Create a ProwJob, as another program than the service would."""
        return self.call("POST", f"{self.url}?fieldValidation=Strict", prowjob)

    def delete(self, name: str) -> None:
        """Delete a ProwJob, as Prow does some days after its end."""
        assert self.call("DELETE", f"{self.url}/{name}").status == 200

    def patch(self, name: str, status: dict[str, Any], labels: dict[str, str] | None = None) -> None:
        """Change status and labels of a ProwJob, if it exists."""
        body = {"metadata": {"labels": labels or {}}, "status": status}
        assert self.call("PATCH", f"{self.url}/{name}", body).status in (200, 404)

    def end(self, name: str, state: str = "success", description: str = "Job succeeded.") -> None:
        """End a job."""
        self.patch(name, {"state": state, "description": description, "completionTime": now()})

    def pick_up(self, prowjob: dict[str, Any], build_id: str) -> None:
        """Set the status that plank sets when the pod exists."""
        name, job = prowjob["metadata"]["name"], prowjob["spec"]["job"]
        status = {
            "state": "pending",
            "build_id": build_id,
            "pod_name": name,
            "pendingTime": now(),
            "description": "Job triggered.",
            "url": f"https://prow.example.com/view/s3/prow-logs/logs/{job}/{build_id}",
        }
        self.patch(name, status, {"prow.k8s.io/id": name, "prow.k8s.io/build-id": build_id})

    def close(self) -> None:
        """Close the connections."""
        self._admin.close()


class Plank:
    """Watches ProwJobs. `mode` says what happens to new ones.

    run: they get a build id. stall: nothing. fail: their pod cannot be created. finish: they end immediately.
    """

    def __init__(self, prow: Prow) -> None:
        self.mode = "run"
        self._seen: set[str] = set()
        self._prow = prow
        self._builds = itertools.count(_FIRST_BUILD)
        self._stopped = False
        self._stream: urllib3.BaseHTTPResponse | None = None

    @contextmanager
    def running(self) -> Iterator["Plank"]:
        """Run until the block ends."""
        thread = threading.Thread(target=self._run)
        thread.start()
        try:
            yield self
        finally:
            self._stopped = True
            while thread.is_alive():
                stream = self._stream
                with suppress(ValueError, RuntimeError, OSError):  # the stream may just have started or ended
                    if isinstance(stream, urllib3.HTTPResponse):
                        stream.shutdown()
                thread.join(0.05)

    def _run(self) -> None:
        while not self._stopped:
            with suppress(urllib3.exceptions.HTTPError, OSError):  # a test may stop the API server
                self._watch()

    def _watch(self) -> None:
        stream = self._prow.call("GET", f"{self._prow.url}?watch=true&timeoutSeconds=10", preload_content=False)
        self._stream = stream
        rest = b""
        try:
            while stream.status == 200 and not self._stopped:
                chunk = stream.read1(1 << 16)
                if self._stopped or not chunk:  # bytes after a shutdown are still encrypted
                    return
                *lines, rest = (rest + chunk).split(b"\n")
                for line in lines:
                    self._reconcile(json.loads(line)["object"])
        finally:
            self._stream = None
            stream.close()

    def start(self, prowjob: dict[str, Any]) -> None:
        """Give a stalled job its build id."""
        self._prow.pick_up(prowjob, str(next(self._builds)))

    def _reconcile(self, prowjob: dict[str, Any]) -> None:
        name, uid = prowjob["metadata"]["name"], prowjob["metadata"]["uid"]
        if prowjob.get("status", {}).get("state") != "triggered" or uid in self._seen:
            return
        self._seen.add(uid)
        if self.mode == "fail":
            self._prow.end(name, "error", "Pod can not be created: quota exceeded")
        elif self.mode != "stall":
            self.start(prowjob)
            if self.mode == "finish":
                self._prow.end(name)


def now() -> str:
    """Return the current time as Kubernetes writes it."""
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
