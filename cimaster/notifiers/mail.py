"""Sends notices by mail, over SMTP with STARTTLS or TLS."""

import re
import smtplib
import ssl
from dataclasses import dataclass
from email.headerregistry import Address
from email.message import EmailMessage
from email.utils import format_datetime
from typing import ClassVar

from cimaster.common import parsers
from cimaster.common.texts import brief
from cimaster.notifiers import secret_file
from cimaster.notifiers.channel import Channel, key
from cimaster.notifiers.message import PRODUCT, Item, Message, NotDelivered

_ADDRESS = re.compile(r"[A-Za-z0-9.!#$%&'*+/=?^_`{|}~-]{1,64}@[A-Za-z0-9.-]{1,253}")
_LONGEST_SUBJECT = 150
_PORTS = {"starttls": 587, "tls": 465, "none": 25}


def read_address(text: str) -> str:
    """Read the address of a mailbox."""
    if not _ADDRESS.fullmatch(text):
        raise ValueError("a mail address such as ci@example.com")
    return text


def read_addresses(text: str) -> tuple[str, ...]:
    """Read addresses of mailboxes."""
    return tuple(read_address(word) for word in parsers.words(text))


def read_server(text: str) -> tuple[str, int]:
    """Read a server: its host, and its port or 0."""
    host, colon, port = text.partition(":")
    return parsers.host_name(host), parsers.port_number(port) if colon else 0


@dataclass(frozen=True, kw_only=True)
class MailChannel(Channel):
    """A mail server, and the mailboxes that get the notices; without any, only people get theirs."""

    needs_address: ClassVar[bool] = True

    server: tuple[str, int] = key(read_server)
    sender: str = key(read_address)
    to: tuple[str, ...] = key(read_addresses, ())
    tls: str = key(parsers.one_of(tuple(_PORTS)), "starttls")
    user: str = key(parsers.any_text, "")
    password_file: str = key(parsers.any_text, "")
    ca_file: str = key(parsers.any_text, "")

    @property
    def has_own_receiver(self) -> bool:
        """Whether there are mailboxes that get the notices of everyone."""
        return bool(self.to)

    def verify(self) -> None:
        """Raise ValueError if the password cannot be read, or would be sent unencrypted."""
        if bool(self.user) != bool(self.password_file):
            raise ValueError("needs both user and password_file, or neither")
        if self.user and self.tls == "none":
            raise ValueError("would send its password unencrypted: expected tls = starttls or tls")
        if self.password_file:
            secret_file.verify(self.password_file, "password_file")
        try:
            self._tls_context()
        except OSError as error:
            raise ValueError(f"ca_file {self.ca_file!r} cannot be read: {error.strerror or error}") from None

    def send(self, message: Message) -> None:
        """Send a mail to the address of a person or to the mailboxes of the channel; repeats have one Message-ID."""
        host, recipients = self.server[0], [message.to] if message.to else list(self.to)
        try:
            with self._connected() as server:
                server.send_message(self._mail(message, recipients), self.sender, recipients)
        except smtplib.SMTPRecipientsRefused:
            raise NotDelivered(f"{host} refuses the recipient", refused=True) from None
        except smtplib.SMTPResponseException as answer:
            refused = isinstance(answer, smtplib.SMTPDataError) and answer.smtp_code >= 500
            raise NotDelivered(f"{host} answered {answer.smtp_code}", refused=refused) from None
        except (smtplib.SMTPException, OSError) as error:
            raise NotDelivered(f"{host} cannot be used ({type(error).__name__})") from None

    def _connected(self) -> smtplib.SMTP:
        host, port, seconds = self.server[0], self.server[1] or _PORTS[self.tls], self.timeout.total_seconds()
        name = self.sender.partition("@")[2]  # otherwise smtplib would look up our own name, which may take long
        if self.tls == "tls":
            server: smtplib.SMTP = smtplib.SMTP_SSL(host, port, name, timeout=seconds, context=self._tls_context())
        else:
            server = smtplib.SMTP(host, port, name, timeout=seconds)
        try:
            if self.tls == "starttls":
                server.starttls(context=self._tls_context())
            if self.user:
                server.login(self.user, secret_file.lines(self.password_file, "password_file")[0])
        except Exception:
            server.close()
            raise
        return server

    def _tls_context(self) -> ssl.SSLContext:
        return ssl.create_default_context(cafile=self.ca_file or None)

    def _mail(self, message: Message, recipients: list[str]) -> EmailMessage:
        mail = EmailMessage()
        mail["Subject"] = f"[{PRODUCT}] {brief(message.subject, _LONGEST_SUBJECT)}"
        mail["From"] = Address(PRODUCT, addr_spec=self.sender)
        mail["To"] = ", ".join(recipients)
        mail["Date"] = format_datetime(message.now)
        mail["Message-ID"] = f"<{message.key}@cimaster.{self.sender.partition('@')[2]}>"
        mail["Auto-Submitted"] = "auto-generated"  # so that an absence notice does not answer it
        mail.set_content("\n\n".join(_paragraph(item) for item in message.items) + "\n")
        return mail


def _paragraph(item: Item) -> str:
    return f"{item.text}\n{item.link}" if item.link else item.text
