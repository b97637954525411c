"""Creates clusters with Prow: asks the manual-trigger service to start the job that creates one."""

import json
import logging
import time
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path
from threading import Event
from typing import Any, ClassVar
from urllib.parse import quote, urlsplit

import requests
from urllib3.exceptions import ConnectTimeoutError, HTTPError, NewConnectionError, ReadTimeoutError

from cimaster.common import parsers, proxies
from cimaster.common.file_text import decoded
from cimaster.common.settings import BadSetting, FromEnvironment, setting
from cimaster.pool.decisions.creation_attempts import TriggeredJob
from cimaster.pool.records.creation import JOB, REFUSED, TIMEOUT, UNREACHABLE, Creation
from cimaster.provisioners.outcome import Failure, JobStatus

_CONNECT = 3.05  # seconds
_LONGEST_ANSWER = 64_000  # bytes
_LONGEST_LINK, _LONGEST_TEXT = 500, 300  # characters; they are stored in the pool, which each write sends whole
_log = logging.getLogger(__name__)


def read_url(text: str) -> str:
    """Read the address of the service; the path may be left out."""
    parts = urlsplit(text)
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.query or parts.fragment or "@" in text:
        raise ValueError("an address such as http://manual-trigger:8081")
    return text if parts.path.strip("/") else f"{text.rstrip('/')}/manual-trigger"


def read_type(text: str) -> str:
    """Read the type of a Prow job."""
    if text not in ("postsubmit", "periodic"):
        raise ValueError("postsubmit or periodic (a presubmit needs a pull request)")
    return text


@dataclass(frozen=True)
class Settings(FromEnvironment):
    """The address of the manual-trigger service, and the repository of the jobs that create clusters."""

    prefix: ClassVar[str] = "CIMASTER_PROW_"

    url: str = setting("address of the manual-trigger service, such as `http://manual-trigger:8081`", "", read_url)
    token_file: str = setting(
        "file with the token for it, the first word of a line; lines that begin with # are comments",
        "",
        parsers.any_text,
    )
    org: str = setting("organisation of the repository whose jobs create clusters", "tess", parsers.prow_name)
    repo: str = setting("that repository", "tessops", parsers.prow_name)
    type: str = setting("type of those jobs", "postsubmit", read_type)
    timeout: timedelta = setting("how long to wait for its answer", timedelta(seconds=30), parsers.wait)

    def check(self) -> None:
        """Raise BadSetting if the address of the service is missing, or a proxy that leads to it cannot be used."""
        if not self.url:
            raise BadSetting("CIMASTER_PROW_URL is not set: give the address of the manual-trigger service")
        proxies.check_route(self.url)


@dataclass(frozen=True)
class JobRequest:
    """A job to start: the same `key` starts it only once. `user` is the AUTHOR that it sees."""

    job: str
    branch: str
    user: str
    key: str
    force: bool = False


def begin(settings: Settings, creation: Creation, _stop: Event) -> TriggeredJob:
    """Start the job that creates the cluster; a creation starts it only once, even if this call is repeated."""
    force = bool(creation.fields.get("force"))
    wanted = JobRequest(creation.job, creation.branch, creation.user, creation.idempotency_key, force)
    return start(settings, wanted)


def start(settings: Settings, wanted: JobRequest) -> TriggeredJob:
    """Start a job, or return the one that an earlier call with the same key has started; Failure says why not."""
    status, body, pause = _call(settings, "POST", settings.url, _request_body(settings, wanted))
    job = _triggered_job(body)
    if 200 <= status < 300 and body.get("success") is True and job:
        return job
    code = body.get("code")
    reason = f"manual-trigger answered {status}: {_text(body, 'message') or 'no readable message'}"
    if status == 401:
        reason += " (an operator must set CIMASTER_PROW_TOKEN_FILE)"
    if code == "job_failed":
        raise Failure(JOB, reason, job=job)
    if status in (401, 429):  # a token may be replaced just now
        raise Failure(UNREACHABLE, reason, pause)
    if status >= 500 or (status < 300 and not body):
        raise Failure(UNREACHABLE, reason, pause, unknown=code in (None, "outcome_unknown"))
    raise Failure(REFUSED, reason)


def _request_body(settings: Settings, wanted: JobRequest) -> dict[str, Any]:
    body = {
        "org": settings.org,
        "repo": settings.repo,
        "base_ref": wanted.branch,
        "prowtype": settings.type,
        "prowjob": wanted.job,
        "user": wanted.user,
        "source": "cimaster",
        "request_id": wanted.key,
    }
    return {**body, "force": True} if wanted.force else body


def _triggered_job(body: dict[str, Any]) -> TriggeredJob | None:
    name = _text(body, "job_name")
    if not name:
        return None
    return TriggeredJob(name, _link(body, "status_link"), _link(body, "log_link"), _text(body, "message"))


def look(settings: Settings, creation: Creation) -> JobStatus:
    """Return the status of a creation's job; one that succeeded without adding a cluster has failed."""
    found = job_status(settings, creation.job_name)
    if found.ended and not found.failure:
        return replace(found, failure="its job succeeded but added no cluster")
    return found


def job_status(settings: Settings, name: str) -> JobStatus:
    """Return the status of a job; one that Prow no longer knows has ended. Failure says why it cannot be read."""
    status, body, pause = _call(settings, "GET", f"{settings.url}/{quote(name, safe='')}")
    if status == 404 and body.get("code") == "unknown_job":
        return JobStatus(ended=True, failure="Prow no longer knows its job")
    if not 200 <= status < 300:
        raise Failure(UNREACHABLE, _text(body, "message") or f"manual-trigger answered {status}", pause)
    state, ended = _text(body, "state"), body.get("complete") is True
    failure = ""
    if ended and state != "success":
        failure = f"its job ended with {state}: {_text(body, 'description') or 'no reason given'}"
    return JobStatus(ended, failure, _link(body, "status_link"), _link(body, "url") or _link(body, "log_link"))


def _call(
    settings: Settings, method: str, url: str, body: dict[str, Any] | None = None
) -> tuple[int, dict[str, Any], timedelta | None]:
    """Return status, JSON body (empty if it is not an object) and Retry-After; raise Failure if there is no answer."""
    deadline = time.monotonic() + settings.timeout.total_seconds()
    try:
        with requests.Session() as session:
            sent = session.request(
                method,
                url,
                json=body,
                auth=_Token(settings),
                stream=True,
                allow_redirects=False,
                timeout=(_CONNECT, settings.timeout.total_seconds()),
            )
            with sent as answer:
                return answer.status_code, _read(answer, deadline), _retry_after(answer)
    except (requests.RequestException, HTTPError) as error:
        reason = getattr(error.args[0], "reason", None) if error.args else None
        if isinstance(reason, NewConnectionError | ConnectTimeoutError):
            sentence = f"manual-trigger at {url} cannot be reached ({type(reason).__name__})"
            raise Failure(UNREACHABLE, sentence) from error
        kind = TIMEOUT if isinstance(error, requests.Timeout | ReadTimeoutError) else UNREACHABLE
        sentence = f"manual-trigger at {url} gave no answer ({type(error).__name__})"
        raise Failure(kind, sentence, unknown=True) from error


class _Token(requests.auth.AuthBase):
    """Sends the token; setting it explicitly keeps requests from searching a .netrc."""

    def __init__(self, settings: Settings) -> None:
        self._token = _token(settings) if settings.token_file else ""

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        if self._token:
            request.headers["Authorization"] = f"Bearer {self._token}"
        return request


def _token(settings: Settings) -> str:
    try:
        lines = [line.strip() for line in decoded(Path(settings.token_file).read_bytes()).splitlines()]
    except (OSError, ValueError) as error:
        raise Failure(UNREACHABLE, f"the token for manual-trigger cannot be read: {type(error).__name__}") from error
    token = next((line.split()[0] for line in lines if line and not line.startswith("#")), "")
    if not token:
        raise Failure(
            UNREACHABLE, "the token for manual-trigger is missing: add one to the file in CIMASTER_PROW_TOKEN_FILE"
        )
    return token


def _read(answer: requests.Response, deadline: float) -> dict[str, Any]:
    received = b""
    while chunk := answer.raw.read1(8192, decode_content=True):
        received += chunk
        if len(received) > _LONGEST_ANSWER or time.monotonic() > deadline:
            raise requests.Timeout("the answer did not end in time")
    try:
        body = json.loads(received)
    except (ValueError, RecursionError):
        _log.warning("manual-trigger answered %d without a JSON object", answer.status_code)
        return {}
    return body if isinstance(body, dict) else {}


def _retry_after(answer: requests.Response) -> timedelta | None:
    seconds = answer.headers.get("Retry-After", "")
    return timedelta(seconds=min(int(seconds), 600)) if seconds.isascii() and seconds.isdigit() else None


def _text(body: dict[str, Any], key: str) -> str:
    value = body.get(key)
    if not isinstance(value, str):
        return ""
    return " ".join("".join(char if char.isprintable() else " " for char in value).split())[:_LONGEST_TEXT]


def _link(body: dict[str, Any], key: str) -> str:
    """Return a link that is safe to show on a page (http or https); empty if it is not."""
    link = body.get(key)
    good = isinstance(link, str) and link.isprintable() and len(link) <= _LONGEST_LINK
    return str(link) if good and str(link).startswith(("http://", "https://")) else ""
