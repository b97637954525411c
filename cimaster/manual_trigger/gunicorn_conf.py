"""How gunicorn runs the manual-trigger service: one worker of many threads, most of which wait for build ids.

Use: gunicorn -c python:cimaster.manual_trigger.gunicorn_conf
"""

from typing import Any as _Any

from cimaster.common.logs import configuration as _configuration
from cimaster.common.serving.gunicorn_defaults import LoggerWithoutAccess as _LoggerWithoutAccess
from cimaster.common.serving.gunicorn_defaults import heartbeat_folder as _heartbeat_folder
from cimaster.common.serving.worker import Worker as _Worker
from cimaster.common.settings import BadSetting as _BadSetting
from cimaster.manual_trigger.settings import TriggerSettings as _TriggerSettings

try:
    _settings = _TriggerSettings.from_environ()
except _BadSetting as error:
    raise SystemExit(f"manual-trigger: {error}") from None


class _ServingWorker(_Worker):
    connections_per_address = _settings.connections_per_address


wsgi_app = "cimaster.manual_trigger.app:served()"
bind = [f"{_settings.host}:{_settings.port}", f"{_settings.host}:{_settings.metrics_port}"]
worker_class = _ServingWorker
workers = 1
threads = _settings.threads
timeout = 60
graceful_timeout = 90  # the longest wait for a build id, and the calls of the API server before it
keepalive = 75  # longer than the idle time-out of proxies in front, which otherwise see resets
worker_tmp_dir = _heartbeat_folder()
control_socket_disable = True
forwarder_headers = forwarded_allow_ips = ""  # no header may change the path, the scheme or the address
secure_scheme_headers: dict[str, str] = {}
logger_class = _LoggerWithoutAccess
logconfig_dict = _configuration(_settings.log_level)
proc_name = "manual-trigger"


def post_worker_init(worker: _Any) -> None:
    """Start the thread where requests are served: it would not survive the fork."""
    worker.wsgi.app.extensions["manual_trigger"].keeper.start()


def worker_exit(server: _Any, worker: _Any) -> None:  # noqa: ARG001 gunicorn passes both
    """End the thread after the last request was answered."""
    wsgi = getattr(worker, "wsgi", None)
    if wsgi is not None:
        wsgi.app.extensions["manual_trigger"].keeper.stop()
