"""The gunicorn setup of the service without its threads, for the programs in the comparison."""

from cimaster.gunicorn_conf import (
    backlog,
    bind,
    control_socket_disable,
    graceful_timeout,
    keepalive,
    logger_class,
    post_fork,
    threads,
    timeout,
    worker_class,
    worker_tmp_dir,
    workers,
)

__all__ = [
    "backlog",
    "bind",
    "control_socket_disable",
    "graceful_timeout",
    "keepalive",
    "logger_class",
    "post_fork",
    "threads",
    "timeout",
    "worker_class",
    "worker_tmp_dir",
    "workers",
]
