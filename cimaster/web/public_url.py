"""The address at which people reach the service: its path prefix, its origin, and links for use elsewhere."""

from collections.abc import Iterable
from typing import Any
from urllib.parse import urlsplit

from flask import current_app, request, url_for

from cimaster.common.serving.metrics_port import StartResponse, WSGIApplication
from cimaster.common.settings import BadSetting
from cimaster.settings import Settings
from cimaster.web.components import components_of
from cimaster.web.endpoints import ENDPOINTS

_OURS = {"ui", "static", *(endpoint.path.split("/")[1] for endpoint in ENDPOINTS)}


def prefix(settings: Settings) -> str:
    """Return the path prefix of the public URL; empty if it has none."""
    return urlsplit(settings.public_url).path


def check(settings: Settings) -> None:
    """Raise BadSetting for a path prefix that is also the start of a route: the two could not be distinguished."""
    first = prefix(settings).split("/")[1:2]
    if _OURS.intersection(first):
        raise BadSetting(
            f"CIMASTER_PUBLIC_URL is {settings.public_url!r}: expected another path than /{first[0]}, which is the "
            "service's own, such as /cimaster"
        )


def origin() -> str:
    """Return the origin of the public URL; empty if none is set."""
    parts = urlsplit(_settings().public_url)
    return f"{parts.scheme}://{parts.netloc}" if parts.netloc else ""


def is_ours(url: str) -> bool:
    """Say whether a URL or an origin has the host of the request or of the public URL."""
    try:
        host = urlsplit(url).netloc
    except ValueError:
        return False
    return bool(host) and host in (request.host, urlsplit(_settings().public_url).netloc)


def is_secure() -> bool:
    """Say whether browsers reach the service by https."""
    return request.is_secure or _settings().public_url.startswith("https:")


def link(endpoint: str, **values: Any) -> str:
    """Return the absolute URL of a route, for answers that are read outside our pages."""
    return (origin() or request.host_url.rstrip("/")) + url_for(endpoint, **values)


def _settings() -> Settings:
    found: Settings = components_of(current_app).settings
    return found


class Prefixed:
    """Serves an application below a path prefix, whether the proxy in front strips the prefix or passes it on."""

    def __init__(self, application: WSGIApplication, prefix: str) -> None:
        self._application, self._prefix = application, prefix

    def __call__(self, environ: dict[str, Any], start_response: StartResponse) -> Iterable[bytes]:
        """Answer a WSGI request."""
        path = environ["PATH_INFO"]
        if path == self._prefix or path.startswith(f"{self._prefix}/"):
            path = path.removeprefix(self._prefix) or "/"
        return self._application({**environ, "SCRIPT_NAME": self._prefix, "PATH_INFO": path}, start_response)
