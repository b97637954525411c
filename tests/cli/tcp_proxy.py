"""The network between a client and the service: a TCP proxy whose connections break, hang, or lose answers."""

import selectors
import socket
import struct
import threading
from types import TracebackType
from typing import Self

from tests.conditions import until

_CLOSE_WITH_RESET = struct.pack("ii", 1, 0)


class TCPProxy:
    """A context manager that passes connections on to a local port, from a thread of its own."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}"
        self._selector = selectors.DefaultSelector()
        self._peers: dict[socket.socket, socket.socket] = {}
        self._from_service: set[socket.socket] = set()
        self._lock = threading.Lock()
        self._is_cut = self._loses_answers = self._ended = False
        self.lost = 0  # parts of answers
        self._thread = threading.Thread(target=self._run, name="network")

    def __enter__(self) -> Self:
        self._selector.register(self._listener, selectors.EVENT_READ)
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._ended = True
        self._thread.join()
        self.cut()
        self._listener.close()
        self._selector.close()

    def cut(self) -> None:
        """Break all connections; new ones break as soon as they are made."""
        with self._lock:
            self._is_cut = True
            for connection in list(self._peers):
                self._close(connection)

    def lose_answers(self) -> None:
        """Pass requests on, and no answers."""
        self._loses_answers = True

    def until_lost(self) -> None:
        """Wait until an answer has been lost."""
        until(lambda: self.lost)

    def restore(self) -> None:
        """Pass everything on again, on new connections."""
        self._is_cut = self._loses_answers = False

    def _run(self) -> None:
        while not self._ended:
            for key, _ in self._selector.select(0.05):
                with self._lock:
                    self._connect() if key.fileobj is self._listener else self._pass_on(key.fileobj)

    def _connect(self) -> None:
        client, _ = self._listener.accept()
        if self._is_cut:
            _reset(client)
            return
        try:
            service = socket.create_connection(("127.0.0.1", self._port), timeout=10)
        except OSError:
            _reset(client)
            return
        self._peers |= {client: service, service: client}
        self._from_service.add(service)
        for connection in (client, service):
            self._selector.register(connection, selectors.EVENT_READ)

    def _pass_on(self, connection: object) -> None:
        assert isinstance(connection, socket.socket)
        if connection not in self._peers:
            return  # it was closed since the selector saw it
        try:
            data = connection.recv(65536)
            if data and connection in self._from_service and self._loses_answers:
                self.lost += 1
                return
            if data:
                self._peers[connection].sendall(data)
                return
        except OSError:
            pass  # one of both has gone
        self._close(connection)

    def _close(self, connection: socket.socket) -> None:
        other = self._peers.pop(connection, None)
        if other is None:
            return
        del self._peers[other]
        for each in (connection, other):
            self._from_service.discard(each)
            self._selector.unregister(each)
            _reset(each)


def _reset(connection: socket.socket) -> None:
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _CLOSE_WITH_RESET)
    connection.close()
