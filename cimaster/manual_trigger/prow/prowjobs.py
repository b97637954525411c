"""The ProwJobs of a namespace.

Every call has a time-out, and none is repeated, except one that a 401 refused: what a lost answer means, only the
caller can find out.
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


class AlreadyThere(Exception):
    """A ProwJob of that name exists."""


class AnswerLost(Exception):
    """Nobody knows whether the ProwJob was created."""


class ProwJobs:
    """Creates, reads and watches ProwJobs, and remembers how the API server was met last."""

    def __init__(self, access: KubernetesClient, metrics: Metrics, clock: Clock) -> None:
        self.trouble = "it was not asked yet"
        self._answered_at = float("-inf")
        self._access = access
        self._metrics = metrics
        self._clock = clock

    @property
    def silence(self) -> float:
        """Seconds since the API server last did what it was asked."""
        return self._clock.monotonic() - self._answered_at

    def create(self, namespace: str, prowjob: Mapping[str, Any]) -> dict[str, Any]:
        """Create a ProwJob and return it as stored. Raises AlreadyThere, AnswerLost, or a refusal: it is not there."""
        try:
            body = json.dumps({**prowjob, "metadata": {**prowjob["metadata"], "namespace": namespace}}, allow_nan=False)
        except ValueError as error:
            raise JobRejected(f"the job cannot be written as JSON: {error}") from None
        try:
            response = self._request("POST", _url(namespace, fieldValidation="Strict"), body=body.encode())
        except _NEVER_SENT as error:
            raise self._unreachable(error) from error
        except FAILED as error:
            raise AnswerLost(str(self._unreachable(error))) from error
        if response.status == 409:
            raise AlreadyThere
        if response.status >= 500:  # etcd may have taken the write before the server gave up
            raise AnswerLost(str(self._refused(response)))
        return self._read(response, 201)

    def get(self, namespace: str, name: str) -> dict[str, Any] | None:
        """Return a ProwJob; None if there is none of that name."""
        response = self._ask(_url(namespace, name))
        if response.status == 404 and _details(response).get("name") == name:
            self._met()
            return None
        return self._read(response, 200)

    def labelled(self, namespace: str, labels: Mapping[str, str]) -> list[dict[str, Any]]:
        """Return the ProwJobs with these labels, as they are now."""
        selector = ",".join(f"{key}={value}" for key, value in labels.items())
        items: list[dict[str, Any]] = self._read(self._ask(_url(namespace, labelSelector=selector)), 200)["items"]
        return items

    def ping(self, namespace: str) -> None:
        """Ask for one ProwJob, to see whether the API server answers and lets us."""
        self._read(self._ask(_url(namespace, limit="1")), 200)

    def watch(self, watches: Watches, namespace: str, name: str, seconds: float) -> Generator[dict[str, Any]]:
        """Yield a ProwJob as it is and then at each change, for so many seconds or until it is deleted or cut."""
        query = {"watch": "true", "fieldSelector": f"metadata.name={name}", "timeoutSeconds": str(max(1, int(seconds)))}
        patience = urllib3.Timeout(connect=2, read=seconds + 1)
        response = self._ask(_url(namespace, **query), preload_content=False, timeout=patience)
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
        self._access.close()

    def _request(self, method: str, path: str, **options: Any) -> urllib3.BaseHTTPResponse:
        headers = {"Accept": "application/json", "Content-Type": "application/json", "User-Agent": "manual-trigger"}
        return self._access.request(method, path, headers, **options)

    def _ask(self, path: str, **options: Any) -> urllib3.BaseHTTPResponse:
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
        self._met()
        return read

    def _met(self) -> None:
        self.trouble = ""
        self._answered_at = self._clock.monotonic()

    def _note(self, refusal: Refusal) -> Refusal:
        self.trouble = str(refusal)
        self._metrics.api_errors.labels(refusal.code).inc()
        return refusal

    def _unreachable(self, error: Exception) -> Refusal:
        sentence = f"the API server of Prow's cluster cannot be reached: {reason(error)}"
        return self._note(ProwUnreachable(sentence, retry_after=5))

    def _refused(self, response: urllib3.BaseHTTPResponse) -> Refusal:
        """Return what an answer other than the expected one means; a rejected ProwJob is no trouble of the server."""
        said = _said(response)
        if response.status in (400, 413, 422):
            self._met()
            return JobRejected(f"the API server does not take this ProwJob: {said}")
        if response.status in (401, 403):
            sentence = (
                "the API server does not let the manual-trigger service do this (its Role is in k8s/manual-trigger)"
            )
            return self._note(ProwForbidden(f"{sentence}: {said}"))
        if response.status == 404:
            sentence = "the cluster has no ProwJobs, or not that namespace: is Prow's CRD installed there?"
            return self._note(ProwMissing(f"{sentence} {said}"))
        sentence = f"the API server of Prow's cluster answered {response.status}: {said}"
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


def _said(response: urllib3.BaseHTTPResponse) -> str:
    return str(_status(response).get("message") or response.data[:200].decode("utf-8", "replace")).strip()[:1000]
