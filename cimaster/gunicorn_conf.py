"""How gunicorn runs CIMaster: one worker with many threads, and hooks that start and stop its background threads.

Use: gunicorn -c python:cimaster.gunicorn_conf
"""

import logging
from typing import Any

from cimaster import checks, notifiers, provisioners
from cimaster.common import logs
from cimaster.common.serving import process_tuning
from cimaster.common.serving.gunicorn_defaults import *  # noqa: F403 gunicorn reads them from this module's globals
from cimaster.common.serving.gunicorn_defaults import loaded_app
from cimaster.common.serving.paced_worker import worker_with_limits
from cimaster.common.settings import BadSetting
from cimaster.repository import stores
from cimaster.settings import Settings
from cimaster.web import public_url
from cimaster.web.components import components_of
from cimaster.web.identity import authentication

_log = logging.getLogger(__name__)


def checked_settings() -> Settings:
    """Return the settings of the environment; stop the start with a sentence if the service cannot work with them."""
    try:
        settings = Settings.from_environ()
        provisioners.chosen(settings)
        checks.check_file(settings)
        notifiers.check_file(settings)
        stores.check_access(settings)
        public_url.check(settings)
        authentication.check(settings)
        process_tuning.check_core("CIMASTER_CORE", settings.core)
    except BadSetting as error:
        raise SystemExit(f"cimaster: {error}") from None
    return settings


settings = checked_settings()
wsgi_app = "wsgi:app"
proc_name = "cimaster"
bind = [f"{settings.host}:{settings.port}", f"{settings.host}:{settings.metrics_port}"]
worker_class = worker_with_limits(
    settings.connections_per_address, settings.trusted_proxies, authentication.single_headers(settings)
)
threads = settings.threads + settings.waiters  # callers waiting for a cluster take no threads from others
worker_connections = threads + 500  # the rest may be kept alive between their requests
backlog = 2048
graceful_timeout = 120
logconfig_dict = logs.configuration(settings.log_level)


def post_fork(_server: Any, _worker: Any) -> None:
    """Choose a core before any thread starts."""
    process_tuning.use_one_core(settings.core)


def post_worker_init(worker: Any) -> None:
    """Start the background threads in the worker process: they would not survive the fork."""
    process_tuning.tune_for_many_threads()
    components = components_of(worker.wsgi.app)
    if components.authentication is None:
        _log.warning("CIMASTER_AUTH is `open`: the service believes the names that callers give")
    components.files.troubles()  # so that the log says from the start which files cannot be used
    worker.metrics = components.metrics.worker
    lifecycle = components.lifecycle
    lifecycle.draining = lambda: not worker.alive
    lifecycle.start()


def worker_exit(_server: Any, worker: Any) -> None:
    """Stop the background threads after the last request was answered."""
    if app := loaded_app(worker):
        components_of(app).lifecycle.stop()
