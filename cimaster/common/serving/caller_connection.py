"""What the application and the worker tell each other about the connection of a request's caller."""

import socket
from typing import Any

from urllib3.util import wait_for_read

WSGIEnvironment = dict[str, Any]


def recognise(environ: WSGIEnvironment, owner: str) -> None:
    """Have later requests with the credential of this one take turns as an owner's, instead of as their address's."""
    connection = environ.get("gunicorn.socket")
    if connection is not None:
        connection.owner = owner


def is_connected(environ: WSGIEnvironment) -> bool:
    """Say whether the caller of a request that was read completely is still connected."""
    connection: socket.socket | None = environ.get("gunicorn.socket")
    if connection is None or not wait_for_read(connection, timeout=0):
        return True
    try:
        return bool(
            connection.recv(1, socket.MSG_PEEK | socket.MSG_DONTWAIT)
        )  # received bytes would be its next request
    except BlockingIOError:
        return True
    except OSError:
        return False
