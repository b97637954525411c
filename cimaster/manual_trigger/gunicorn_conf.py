"""How gunicorn runs the manual-trigger service: one worker of many threads, most of which wait for build ids.

Use: gunicorn -c python:cimaster.manual_trigger.gunicorn_conf
"""

from typing import Any

from cimaster.common import logs
from cimaster.common.serving.gunicorn_defaults import *  # noqa: F403 gunicorn reads them from this module's globals
from cimaster.common.serving.gunicorn_defaults import loaded_app
from cimaster.common.serving.paced_worker import worker_with_limits
from cimaster.common.settings import BadSetting
from cimaster.manual_trigger.components import components_of
from cimaster.manual_trigger.settings import TriggerSettings


def checked_settings() -> TriggerSettings:
    """Return the settings of the environment; stop the start with a sentence if the service cannot work with them."""
    try:
        return TriggerSettings.from_environ()
    except BadSetting as error:
        raise SystemExit(f"manual-trigger: {error}") from None


settings = checked_settings()
wsgi_app = "cimaster.manual_trigger.app:served()"
proc_name = "manual-trigger"
bind = [f"{settings.host}:{settings.port}", f"{settings.host}:{settings.metrics_port}"]
worker_class = worker_with_limits(settings.connections_per_address)
threads = settings.threads
graceful_timeout = 90  # the longest wait for a build id, and the calls to the API server before it
logconfig_dict = logs.configuration(settings.log_level)


def post_worker_init(worker: Any) -> None:
    """Start the background thread in the worker process: it would not survive the fork."""
    components = components_of(worker.wsgi.app)
    worker.metrics = components.metrics.worker
    components.refresher.start()


def worker_exit(_server: Any, worker: Any) -> None:
    """Stop the background thread after the last request was answered."""
    if app := loaded_app(worker):
        components_of(app).refresher.stop()
