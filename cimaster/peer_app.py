"""What a replica does for others: carry out the changes that they pass on, all in one write with its own.

It gives nothing that the API does not give to everybody: a cluster that is vacant, and the end of a lease by its id. It
stands beside Flask because nothing of a page or of the API's forms is needed here.
"""

import json
from collections.abc import Callable, Iterable
from datetime import timedelta
from typing import Any

from cimaster import endpoints, peers
from cimaster.pool import commands
from cimaster.pool.commands import Command, Take, TakeOrWait
from cimaster.repository import ConfigMapRepository
from cimaster.serving import WSGIEnvironment, still_there
from cimaster.times import format_duration

_LARGEST = 1 << 20  # bytes of one request
_LONGEST_STAY = timedelta(minutes=1)


class PeerApp:
    """A WSGI application for one path."""

    def __init__(self, repository: ConfigMapRepository) -> None:
        self._repository = repository

    def __call__(self, environ: WSGIEnvironment, start_response: Callable[..., Any]) -> Iterable[bytes]:
        """Answer a WSGI request; what is no list of changes, or comes from a browser, is refused.

        A request may have lain here while this process stood still, and its sender has long decided by itself. Then the
        connection is closed; where even that was lost on the way, a lease that was granted is found by its id.
        """
        try:
            changes = [_checked(commands.from_json(told)).repeated() for told in _listed(_body(environ))]
        except (ValueError, KeyError, TypeError, AttributeError):
            return _answer(start_response, "400 Bad Request", {"code": "bad_body", "detail": "not a list of changes"})
        if not still_there(environ):
            return _answer(start_response, "408 Request Timeout", {"code": "gone", "detail": "nobody waits for this"})
        results = self._repository.update_all(changes, peers.ANSWER_WITHIN, lambda: still_there(environ))
        return _answer(start_response, "200 OK", peers.told(*results))


def _body(environ: WSGIEnvironment) -> bytes:
    by_program = not any(environ.get(key) for key in ("HTTP_ORIGIN", "HTTP_SEC_FETCH_SITE"))
    length = int(environ.get("CONTENT_LENGTH") or 0)
    if environ["REQUEST_METHOD"] != "POST" or not by_program or not 0 < length <= _LARGEST:
        raise ValueError("not a request of a replica")
    body: bytes = environ["wsgi.input"].read(length)
    return body


def _listed(body: bytes) -> list[Any]:
    told = json.loads(body)
    if not isinstance(told, list):
        raise ValueError("not a list")  # noqa: TRY004 what was sent is wrong, not how we were called
    return told


def _checked(command: Command) -> Command:
    """Return the command if every text in it is one that the API would have let through; ValueError if not."""
    if isinstance(command, Take):
        ask = command.ask
        endpoint, texts = endpoints.GETVACANT, {
            "job": ask.job, "build": ask.build, "name": ask.by, "purpose": ask.purpose, "osimage": ask.osimage,
            "region": ask.region, "cluster": ask.cluster, "ttl": format_duration(ask.ttl) if ask.ttl else "",
        }  # fmt: skip
        labels = [f"{key}={value}" for key, value in ask.labels.items()]
        if isinstance(command, TakeOrWait):
            texts |= {"wait": format_duration(command.stay.wait) if command.stay.wait else "",
                      "priority": command.stay.priority}  # fmt: skip
            if not max(command.stay.connected, command.stay.keeps) <= _LONGEST_STAY:
                raise ValueError("nobody is expected for so long")
    else:
        said = command.said
        endpoint, labels = endpoints.FINISHTEST, []
        texts = {"cluster": said.cluster, "lease": said.lease, "job": said.job, "build": said.build}
    request_id = command.request.id if command.request else ""
    for name, text in [*texts.items(), ("request_id", request_id), *(("label", label) for label in labels)]:
        parameter = endpoint.parameter(name)
        if parameter and (text or parameter.required):
            parameter.read(text)
    own = [command.request.hash, command.request.verb] if command.request else []
    for text in [*own, *([command.lease_id] if isinstance(command, Take) else [])]:
        endpoints.LEASE.read(text)
    return command


def _answer(start_response: Callable[..., Any], status: str, told: object) -> Iterable[bytes]:
    body = json.dumps(told).encode()
    start_response(status, [("Content-Type", "application/json"), ("Content-Length", str(len(body)))])
    return [body]
