"""Notices by mail, against a real SMTP server on this machine."""

import ssl
from pathlib import Path
from typing import Any

import pytest

from cimaster.notifiers.mail import MailChannel
from cimaster.notifiers.message import Message, NotDelivered
from tests.notifiers.conftest import message_of
from tests.notifiers.mail_server import MailServer
from tests.server import closed_port


def channel(server: MailServer, **more: Any) -> MailChannel:
    """Return a channel that sends to the server."""
    settings: dict[str, Any] = {"tls": "none", "to": ("team@example.com",), **more}
    return MailChannel("mail", server=("localhost", server.port), sender="ci@example.com", **settings)


def test_a_mail_has_the_sentence_the_link_and_a_key(message: Message) -> None:
    with MailServer() as server:
        channel(server).send(message)
        channel(server).send(message)
    (recipients, mail), (_, repeat) = server.mails
    assert recipients == ["team@example.com"]
    assert mail["Subject"] == "[CIMaster] cluster-01 is quarantined: <no> network & disk"
    assert mail["From"] == "CIMaster <ci@example.com>"
    assert mail["Auto-Submitted"] == "auto-generated"
    assert mail["Message-ID"] == repeat["Message-ID"] == "<7-0@cimaster.example.com>"
    body = mail.get_content()
    assert body.splitlines() == [message.items[0].text, message.items[0].link]


def test_a_mail_to_a_person_goes_to_their_address_only() -> None:
    with MailServer() as server:
        channel(server).send(message_of("Zoë's turn has come", to="zoe@example.com"))
    ((recipients, mail),) = server.mails
    assert recipients == ["zoe@example.com"]
    assert mail["Subject"] == "[CIMaster] Zoë's turn has come"


def test_several_notices_are_one_mail() -> None:
    with MailServer() as server:
        channel(server).send(message_of("first", "second"))
    ((_, mail),) = server.mails
    assert mail["Subject"] == "[CIMaster] 2 notices of CIMaster"
    lines = mail.get_content().splitlines()
    assert [lines[0], lines[2], lines[3]] == ["first", "", "second"]


def test_a_password_is_sent_over_starttls_only(
    self_signed: tuple[Path, Path], tmp_path: Path, message: Message
) -> None:
    certificate, key = self_signed
    secret = tmp_path / "password"
    secret.write_text("correct horse\n")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    account = {"tls": "starttls", "user": "ci", "password_file": str(secret)}
    with MailServer(context, "correct horse") as server:
        channel(server, **account, ca_file=str(certificate)).send(message)
        with pytest.raises(NotDelivered, match="SSLCertVerificationError"):
            channel(server, **account).send(message)
        secret.write_text("wrong\n")
        with pytest.raises(NotDelivered, match="localhost answered 535") as failed:
            channel(server, **account, ca_file=str(certificate)).send(message)
    assert not failed.value.refused
    assert "wrong" not in str(failed.value)
    assert len(server.mails) == 1
    with MailServer() as plain, pytest.raises(NotDelivered, match="SMTPNotSupportedError"):
        channel(plain, **account).send(message)


@pytest.mark.parametrize(
    ("command", "answer", "refused"),
    [
        ("RCPT", "550 no such user", True),
        ("DATA", "554 looks like spam", True),
        ("DATA", "451 try later", False),
        ("MAIL", "421 too busy", False),
    ],
)
def test_a_refusal_says_whether_only_this_mail_failed(
    command: str, answer: str, refused: bool, message: Message
) -> None:
    with (
        MailServer(refuse=lambda given: answer if given.upper().startswith(command) else "") as server,
        pytest.raises(NotDelivered) as failed,
    ):
        channel(server).send(message)
    assert failed.value.refused is refused
    assert server.mails == []


def test_a_server_that_is_down_fails_the_channel(message: Message) -> None:
    with (
        closed_port() as port,
        pytest.raises(NotDelivered, match=r"localhost cannot be used \(ConnectionRef") as failed,
    ):
        channel(MailServer(port=port)).send(message)
    assert not failed.value.refused
