"""A server whose answers a test writes byte by byte, as a broken cluster might send them."""

import socket
import socketserver
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any

Answer = Callable[[socket.socket, str], None]


class _Server(socketserver.ThreadingTCPServer):
    daemon_threads = True
    allow_reuse_address = True

    def handle_error(self, *_: Any) -> None:
        """Ignore clients that hang up: that is part of the tests."""


@contextmanager
def answering(answer: Answer, tls: ssl.SSLContext | None = None) -> Iterator[int]:
    """Call `answer` with each connection and the head of its request; yields the port."""

    class Handler(socketserver.BaseRequestHandler):
        def handle(self) -> None:
            connection = tls.wrap_socket(self.request, server_side=True) if tls else self.request
            with connection, suppress(OSError):
                head = b""
                while b"\r\n\r\n" not in head:
                    received = connection.recv(8192)
                    if not received:
                        return
                    head += received
                answer(connection, head.decode())

    with _Server(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
        thread.start()
        yield server.server_address[1]
        server.shutdown()
        thread.join()


def saying(text: str) -> Answer:
    """Return an answer that sends a text and closes the connection."""
    return lambda connection, _head: connection.sendall(text.encode())


def status(line: str) -> Answer:
    """Return an answer with this status line and no body."""
    return saying(f"HTTP/1.1 {line}\r\nContent-Length: 0\r\n\r\n")
