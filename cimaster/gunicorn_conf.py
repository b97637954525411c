"""How gunicorn runs CIMaster: one worker of many threads, its background threads begun and ended by hooks.

Use: gunicorn -c python:cimaster.gunicorn_conf
"""

from pathlib import Path as _Path
from typing import Any as _Any

from cimaster.logs import configuration as _configuration
from cimaster.settings import BadSetting as _BadSetting
from cimaster.settings import Settings as _Settings

try:
    _settings = _Settings.from_environ()
except _BadSetting as error:
    raise SystemExit(f"cimaster: {error}") from None

wsgi_app = "wsgi:app"
bind = [f"{_settings.host}:{_settings.port}", f"{_settings.host}:{_settings.metrics_port}"]
worker_class = "gthread"
workers = 1  # replicas are processes of their own; within one, writers are combined by one committer
threads = _settings.threads
backlog = 2048
timeout = 60
graceful_timeout = 120
keepalive = 75  # longer than the idle time-out of proxies in front, which otherwise see resets
_memory = _Path("/dev/shm")  # noqa: S108
worker_tmp_dir = str(_memory) if _memory.is_dir() else None  # a heartbeat on a slow disk would look like a dead worker
control_socket_disable = True
logconfig_dict = _configuration(_settings.log_level)
proc_name = "cimaster"


def post_worker_init(worker: _Any) -> None:
    """Start the threads where requests are served: they would not survive the fork."""
    lifecycle = worker.wsgi.app.extensions["cimaster.lifecycle"]
    lifecycle.draining = lambda: not worker.alive
    lifecycle.start()


def worker_exit(server: _Any, worker: _Any) -> None:  # noqa: ARG001 gunicorn passes both
    """End the threads after the last request was answered."""
    wsgi = getattr(worker, "wsgi", None)
    if wsgi is not None:
        wsgi.app.extensions["cimaster.lifecycle"].stop()
