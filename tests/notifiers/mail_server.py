"""A small SMTP server that keeps the mails it accepts; it can demand STARTTLS and a password."""

import base64
import socketserver
import ssl
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from email import message_from_bytes, policy
from email.message import EmailMessage
from types import TracebackType
from typing import Any, Self

from tests.notifiers.receiver import Delivery


class _Server(socketserver.ThreadingTCPServer):
    daemon_threads = True
    allow_reuse_address = True

    def handle_error(self, *_: Any) -> None:
        """Ignore senders that hang up: that is part of the tests."""


@dataclass
class MailServer:
    """A context manager. `mails` are pairs of the recipients and the mail; `refuse` may answer a command.

    `deliveries` are the accepted mails about one notice, for each recipient.
    """

    tls: ssl.SSLContext | None = None
    password: str = ""
    refuse: Callable[[str], str] = lambda _command: ""
    mails: list[tuple[list[str], EmailMessage]] = field(default_factory=list)
    deliveries: list[Delivery] = field(default_factory=list)
    port: int = 0

    def __enter__(self) -> Self:
        self.start()
        return self

    def start(self) -> None:
        """Listen, on the same port as before."""
        mail_server = self

        class Handler(socketserver.BaseRequestHandler):
            def handle(self) -> None:
                _Conversation(mail_server, self.request).run()

        self._server = _Server(("127.0.0.1", self.port), Handler)
        self.port = self._server.server_address[1]
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True)
        self._thread.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def stop(self) -> None:
        """Refuse connections."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


class _Conversation:
    """One connection of a sender."""

    def __init__(self, server: MailServer, connection: Any) -> None:
        self._server, self._connection = server, connection
        self._lines = connection.makefile("rb")
        self._recipients: list[str] = []
        self._arrived = time.monotonic()
        self._encrypted = self._known = False

    def run(self) -> None:
        """Answer each command until the sender leaves."""
        self._say("220 ready")
        while line := self._lines.readline():
            command = line.decode().strip()
            refusal = self._server.refuse(command)
            if refusal:
                self._say(refusal)
            elif command.upper().startswith("QUIT"):
                self._say("221 bye")
                break
            else:
                self._answer(command)
        self._lines.close()
        self._connection.close()

    def _answer(self, command: str) -> None:
        verb = command.upper().split(" ")[0]
        if verb == "EHLO":
            offers = ["AUTH PLAIN"] if self._server.password else []
            offers += ["STARTTLS"] if self._server.tls and not self._encrypted else []
            self._say("250-localhost", *[f"250-{offer}" for offer in offers], "250 SIZE")
        elif verb == "STARTTLS":
            self._say("220 go ahead")
            assert self._server.tls
            self._lines.close()
            self._connection = self._server.tls.wrap_socket(self._connection, server_side=True)
            self._lines = self._connection.makefile("rb")
            self._encrypted = True
        elif verb == "AUTH":
            password = base64.b64decode(command.split(" ")[2]).decode().split("\0")[2]
            self._known = password == self._server.password
            self._say("235 welcome" if self._known else "535 wrong password")
        elif verb == "RCPT":
            self._recipients.append(command.partition("<")[2].rstrip(">"))
            self._say("250 ok")
        elif verb == "DATA":
            self._receive()
        else:
            self._say("250 ok")

    def _receive(self) -> None:
        if self._server.password and not self._known:
            self._say("530 sign in first")
            return
        self._say("354 go ahead")
        received = b""
        while (line := self._lines.readline()) != b".\r\n":
            received += line.removeprefix(b".") if line.startswith(b"..") else line
        mail = message_from_bytes(received, policy=policy.default)
        self._server.mails.append((self._recipients, mail))
        self._note_delivery(mail)
        self._say("250 accepted")

    def _note_delivery(self, mail: EmailMessage) -> None:
        identity, now = mail["Message-ID"].strip("<>").partition("@")[0], time.monotonic()
        content = (mail["Subject"], mail.get_content())
        self._server.deliveries += [
            Delivery(identity, recipient, content, self._arrived, now) for recipient in self._recipients
        ]

    def _say(self, *lines: str) -> None:
        self._connection.sendall("".join(f"{line}\r\n" for line in lines).encode())
