"""The gunicorn settings that both programs share.

gunicorn reads its settings from the globals of a configuration module, and ignores names that are no settings. Each
program's module imports these with `*` and adds its own.
"""

from pathlib import Path
from typing import Any

from flask import Flask
from gunicorn.glogging import Logger

__all__ = [
    "control_socket_disable",
    "forwarded_allow_ips",
    "forwarder_headers",
    "keepalive",
    "logger_class",
    "secure_scheme_headers",
    "timeout",
    "worker_tmp_dir",
    "workers",
]

_SHARED_MEMORY = Path("/dev") / "shm"


class LoggerWithoutAccess(Logger):
    """Leaves out gunicorn's access log: the application logs each request itself, with more details."""

    def access(self, *_: Any) -> None:
        """Write nothing."""


workers = 1  # each replica is one process with many threads
timeout = 60
keepalive = 75  # longer than the idle time-out of proxies in front, which otherwise see resets
worker_tmp_dir = str(_SHARED_MEMORY) if _SHARED_MEMORY.is_dir() else None  # a slow disk would delay the heartbeat
control_socket_disable = True
forwarder_headers = forwarded_allow_ips = ""  # no header may change the path, the scheme or the address
secure_scheme_headers: dict[str, str] = {}
logger_class = LoggerWithoutAccess


def loaded_app(worker: Any) -> Flask | None:
    """Return the Flask application of a gunicorn worker; None if the worker failed before it was loaded."""
    wsgi = getattr(worker, "wsgi", None)
    app: Flask | None = wsgi.app if wsgi is not None else None
    return app
