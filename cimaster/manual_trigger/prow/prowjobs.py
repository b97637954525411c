"""The ProwJobs of a namespace in the API server.

Every call has a time-out, and none is repeated except after a 401: only the caller can find out what a lost answer
means.
"""

import json
from collections.abc import Generator, Mapping
from typing import Any
from urllib.parse import urlencode

import urllib3

from cimaster.common.clock import Clock
from cimaster.common.errors import Refusal
from cimaster.common.kubernetes_client import FAILED, KubernetesClient, reason
from cimaster.common.kubernetes_watches import Watches
from cimaster.manual_trigger.errors import JobRejected, ProwForbidden, ProwMissing, ProwUnreachable
from cimaster.manual_trigger.metrics import Metrics

_NEVER_SENT = (urllib3.exceptions.NewConnectionError, urllib3.exceptions.ConnectTimeoutError)


class AlreadyExists(Exception):
    """A ProwJob of that name exists."""


class AnswerLost(Exception):
    """It is unknown whether the ProwJob was created; the message says why."""


class ProwJobs:
    """Creates, reads and watches ProwJobs; `trouble` says why the last call failed, and is empty if it succeeded."""

    def __init__(self, client: KubernetesClient, metrics: Metrics, clock: Clock) -> None:
        self.trouble = "not called yet"
        self._answered_at = float("-inf")
        self._client = client
        self._metrics = metrics
        self._clock = clock

    @property
    def silence(self) -> float:
        """Seconds since the last call that succeeded."""
        return self._clock.monotonic() - self._answered_at

    def create(self, namespace: str, prowjob: Mapping[str, Any]) -> dict[str, Any]:
        """Create a ProwJob and return it as stored; raise AlreadyExists, AnswerLost, or a refusal if that failed."""
        try:
            body = json.dumps({**prowjob, "metadata": {**prowjob["metadata"], "namespace": namespace}}, allow_nan=False)
        except ValueError as error:
            raise JobRejected(f"the job cannot be written as JSON: {error}; correct Prow's configuration") from None
        try:
            response = self._request("POST", _url(namespace, fieldValidation="Strict"), body=body.encode())
        except _NEVER_SENT as error:
            raise self._unreachable(error) from error
        except FAILED as error:
            self._unreachable(error)
            raise AnswerLost(reason(error)) from error
        if response.status == 409:
            raise AlreadyExists
        if response.status >= 500:  # etcd may have written it before the server gave up
            self._refused(response)
            raise AnswerLost(f"it answered {response.status}: {_message(response)}")
        return self._read(response, 201)

    def get(self, namespace: str, name: str) -> dict[str, Any] | None:
        """Return a ProwJob; None if none has that name."""
        response = self._send_get(_url(namespace, name))
        if response.status == 404 and _details(response).get("name") == name:
            self._succeeded()
            return None
        return self._read(response, 200)

    def with_labels(self, namespace: str, labels: Mapping[str, str]) -> list[dict[str, Any]]:
        """Return the ProwJobs with these labels."""
        selector = ",".join(f"{key}={value}" for key, value in labels.items())
        items: list[dict[str, Any]] = self._read(self._send_get(_url(namespace, labelSelector=selector)), 200)["items"]
        return items

    def ping(self, namespace: str) -> None:
        """Read one ProwJob to check that the API server answers and grants access; raise a refusal if not."""
        self._read(self._send_get(_url(namespace, limit="1")), 200)

    def watch(self, watches: Watches, namespace: str, name: str, seconds: float) -> Generator[dict[str, Any]]:
        """Yield a ProwJob, then each change to it, until `seconds` have passed, it is deleted, or the watch breaks."""
        query = {"watch": "true", "fieldSelector": f"metadata.name={name}", "timeoutSeconds": str(max(1, int(seconds)))}
        patience = urllib3.Timeout(connect=2, read=seconds + 1)
        response = self._send_get(_url(namespace, **query), preload_content=False, timeout=patience)
        try:
            if response.status != 200:
                raise self._refused(response)
            for kind, found in watches.events(response):
                if kind == "DELETED":
                    return
                yield found
        finally:
            response.close()

    def close(self) -> None:
        """Close idle connections."""
        self._client.close()

    def _request(self, method: str, path: str, **options: Any) -> urllib3.BaseHTTPResponse:
        headers = {"Accept": "application/json", "Content-Type": "application/json", "User-Agent": "manual-trigger"}
        return self._client.request(method, path, headers, **options)

    def _send_get(self, path: str, **options: Any) -> urllib3.BaseHTTPResponse:
        try:
            return self._request("GET", path, **options)
        except FAILED as error:
            raise self._unreachable(error) from error

    def _read(self, response: urllib3.BaseHTTPResponse, expected: int) -> dict[str, Any]:
        if response.status != expected:
            raise self._refused(response)
        try:
            read: dict[str, Any] = json.loads(response.data)
        except ValueError as error:
            raise self._unreachable(error) from None
        self._succeeded()
        return read

    def _succeeded(self) -> None:
        self.trouble = ""
        self._answered_at = self._clock.monotonic()

    def _note(self, refusal: Refusal) -> Refusal:
        self.trouble = str(refusal)
        self._metrics.api_errors.labels(refusal.code).inc()
        return refusal

    def _unreachable(self, error: Exception) -> Refusal:
        sentence = f"the API server of Prow's cluster cannot be reached: {reason(error)}; repeat the request in 5 s"
        return self._note(ProwUnreachable(sentence, retry_after=5))

    def _refused(self, response: urllib3.BaseHTTPResponse) -> Refusal:
        """Return the refusal for an unexpected answer; a rejected ProwJob is not counted as trouble of the server."""
        message = _message(response)
        if response.status in (400, 413, 422):
            self._succeeded()
            return JobRejected(
                f"the API server rejects this ProwJob; correct the job in Prow's configuration: {message}"
            )
        if response.status in (401, 403):
            sentence = "the API server denies the manual-trigger service access; apply the Role in k8s/manual-trigger"
            return self._note(ProwForbidden(f"{sentence}: {message}"))
        if response.status == 404:
            sentence = (
                "the cluster has no ProwJobs, or not that namespace: install Prow's CRD, or create the namespace."
            )
            return self._note(ProwMissing(f"{sentence} {message}"))
        sentence = f"the API server of Prow's cluster answered {response.status}: {message}; repeat the request in 5 s"
        return self._note(ProwUnreachable(sentence, retry_after=5))


def _url(namespace: str, name: str = "", **query: str) -> str:
    path = f"/apis/prow.k8s.io/v1/namespaces/{namespace}/prowjobs" + (f"/{name}" if name else "")
    return f"{path}?{urlencode(query)}" if query else path


def _status(response: urllib3.BaseHTTPResponse) -> dict[str, Any]:
    try:
        read = json.loads(response.data)
    except (ValueError, urllib3.exceptions.HTTPError):
        return {}
    return read if isinstance(read, dict) else {}


def _details(response: urllib3.BaseHTTPResponse) -> dict[str, Any]:
    return _status(response).get("details") or {}


def _message(response: urllib3.BaseHTTPResponse) -> str:
    return str(_status(response).get("message") or response.data[:200].decode("utf-8", "replace")).strip()[:1000]
