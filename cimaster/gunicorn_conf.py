"""How gunicorn runs CIMaster: one worker of many threads, its background threads begun and ended by hooks.

Use: gunicorn -c python:cimaster.gunicorn_conf
"""

import gc as _gc
import os as _os
import random as _random
import sys as _sys
from typing import Any as _Any

from cimaster import provisioners as _provisioners
from cimaster.common.logs import configuration as _configuration
from cimaster.common.serving.gunicorn_defaults import LoggerWithoutAccess as _LoggerWithoutAccess
from cimaster.common.serving.gunicorn_defaults import heartbeat_folder as _heartbeat_folder
from cimaster.common.serving.worker import Worker as _Worker
from cimaster.common.settings import BadSetting as _BadSetting
from cimaster.repository import stores as _stores
from cimaster.settings import Settings as _Settings
from cimaster.web import public_url as _public_url
from cimaster.web.components import components_of


def _check_core(chosen: str) -> None:
    """Raise BadSetting for a core that is not there, or that this process may not use."""
    if chosen not in ("any", "all") and hasattr(_os, "sched_getaffinity"):
        allowed = sorted(_os.sched_getaffinity(0))
        if int(chosen) not in allowed:
            raise _BadSetting(f"CIMASTER_CORE is {chosen}: expected any, all or one of {', '.join(map(str, allowed))}")


try:
    _settings = _Settings.from_environ()
    _provisioners.chosen(_settings)
    _stores.check_access(_settings)
    _public_url.check(_settings)
    _check_core(_settings.core)
except _BadSetting as error:
    raise SystemExit(f"cimaster: {error}") from None


class _ServingWorker(_Worker):
    connections_per_address = _settings.connections_per_address
    proxies = _settings.trusted_proxies


wsgi_app = "wsgi:app"
bind = [f"{_settings.host}:{_settings.port}", f"{_settings.host}:{_settings.metrics_port}"]
worker_class = _ServingWorker
workers = 1  # replicas are processes of their own; within one, writers are combined by one committer
threads = _settings.threads + _settings.waiters  # made as they are needed: who waits takes none from who is served
worker_connections = threads + 500  # the rest may be kept alive between their requests
backlog = 2048
timeout = 60
graceful_timeout = 120
keepalive = 75  # longer than the idle time-out of proxies in front, which otherwise see resets
worker_tmp_dir = _heartbeat_folder()
control_socket_disable = True
forwarder_headers = forwarded_allow_ips = ""  # no header may change the path, the scheme or the address
secure_scheme_headers: dict[str, str] = {}
logger_class = _LoggerWithoutAccess
logconfig_dict = _configuration(_settings.log_level)
proc_name = "cimaster"


def _stay_on_one_core() -> None:
    """Keep all threads of the process on one core, where the system can do that.

    Python runs one of them at a time anyway. On several cores each hand-over wakes another core, which costs more than
    the step that runs there: 33 context switches a request against 6, and a third fewer requests (measured).
    """
    if _settings.core == "all" or not hasattr(_os, "sched_setaffinity"):
        return
    allowed = sorted(_os.sched_getaffinity(0))
    chosen = _random.choice(allowed) if _settings.core == "any" else int(_settings.core)  # noqa: S311
    _os.sched_setaffinity(0, {chosen if chosen in allowed else allowed[0]})


def post_fork(server: _Any, worker: _Any) -> None:  # noqa: ARG001 gunicorn passes both
    """Choose a core before any thread begins."""
    _stay_on_one_core()


def _suit_many_threads() -> None:
    """Have threads wait for each other neither too long nor too briefly, and garbage be looked for less often.

    Each thread that waits for its turn wakes after every switch interval. With 200 of them, half a millisecond kept the
    core busy with nothing else for seconds; Python's 5 ms make the committer wait for who computes. What is there at
    the start stays, and looking for garbage at every 700 objects took a seventh of the time (all measured).
    """
    _sys.setswitchinterval(0.002)  # seconds
    _gc.collect()
    _gc.freeze()
    _gc.set_threshold(20_000)  # objects


def post_worker_init(worker: _Any) -> None:
    """Start the threads where requests are served: they would not survive the fork."""
    _suit_many_threads()
    lifecycle = components_of(worker.wsgi.app).lifecycle
    lifecycle.draining = lambda: not worker.alive
    lifecycle.start()


def worker_exit(server: _Any, worker: _Any) -> None:  # noqa: ARG001 gunicorn passes both
    """End the threads after the last request was answered."""
    wsgi = getattr(worker, "wsgi", None)
    if wsgi is not None:
        components_of(wsgi.app).lifecycle.stop()
