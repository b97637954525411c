"""Notices to a Slack-compatible webhook and to a receiver of CloudEvents."""

from pathlib import Path

import pytest

from cimaster.notifiers.message import Message, NotDelivered
from cimaster.notifiers.slack import SlackChannel
from cimaster.notifiers.webhook import WebhookChannel
from tests.notifiers.conftest import message_of
from tests.notifiers.receiver import SECRET, Receiver


@pytest.fixture
def secret(tmp_path: Path) -> Path:
    """The file with the keys of the webhook."""
    path = tmp_path / "secret"
    path.write_text(f"# the new key comes first\nan earlier key\n{SECRET}\n")
    return path


@pytest.fixture
def address(tmp_path: Path, receiver: Receiver) -> Path:
    """The file with the address of the chat."""
    path = tmp_path / "address"
    path.write_text(f"{receiver.url}\n")
    return path


def test_an_event_follows_the_specification(receiver: Receiver, secret: Path, message: Message) -> None:
    WebhookChannel("hook", url=receiver.url, secret_file=str(secret)).send(message)
    (event,) = receiver.events
    assert event == {
        "specversion": "1.0",
        "id": "7-0",
        "source": "https://ci.example.com",
        "type": "cimaster.quarantined",
        "subject": "cluster-01",
        "time": "2026-03-04T05:06:07Z",
        "datacontenttype": "application/json",
        "data": {
            "cluster": "cluster-01",
            "purpose": "tess-ci",
            "text": "cluster-01 is quarantined: <no> network & disk",
            "link": "https://ci.example.com/ui/cluster?name=cluster-01",
        },
    }
    assert receiver.headers[0]["content-type"] == "application/cloudevents+json; charset=utf-8"
    assert receiver.headers[0]["webhook-id"] == "7-0"


def test_each_key_signs_so_that_keys_can_be_replaced(receiver: Receiver, secret: Path, message: Message) -> None:
    WebhookChannel("hook", url=receiver.url, secret_file=str(secret)).send(message)
    assert len(receiver.headers[0]["webhook-signature"].split()) == 2
    assert receiver.unsigned == 0
    secret.write_text("another key\n")
    WebhookChannel("hook", url=receiver.url, secret_file=str(secret)).send(message)
    assert receiver.unsigned == 1


def test_a_chat_gets_one_line_for_each_notice(receiver: Receiver, address: Path) -> None:
    SlackChannel("chat", url_file=str(address)).send(message_of("<!channel> is & out", "second"))
    link = "<https://ci.example.com/ui/cluster?name=cluster-01|Open>"
    assert receiver.bodies == [{"text": f"&lt;!channel&gt; is &amp; out {link}\nsecond {link}"}]


@pytest.mark.parametrize(("status", "refused"), [(302, True), (404, True), (429, False), (408, False), (503, False)])
def test_a_status_says_whether_only_this_message_failed(
    receiver: Receiver, address: Path, status: int, refused: bool
) -> None:
    receiver.answer = lambda _path: (status, {"Location": receiver.url, "Retry-After": "90"})
    with pytest.raises(NotDelivered, match=f"127.0.0.1 answered {status}") as failed:
        SlackChannel("chat", url_file=str(address)).send(message_of("first"))
    assert failed.value.refused is refused
    assert failed.value.pause
    assert failed.value.pause.total_seconds() == 90
    assert len(receiver.bodies) == 1


def test_an_unusable_address_is_not_repeated(address: Path) -> None:
    address.write_text("ftp://secret.example.com/token\n")
    with pytest.raises(NotDelivered, match="does not contain an address such as") as failed:
        SlackChannel("chat", url_file=str(address)).send(message_of("first"))
    assert "secret" not in str(failed.value)


@pytest.mark.parametrize(
    ("text", "seconds"), [("Fri, 31 Dec 2100 23:59:59 GMT", 3600), ("86400", 3600), ("soon", None), ("0", None)]
)
def test_a_pause_may_be_a_date_and_lasts_at_most_an_hour(
    receiver: Receiver, address: Path, text: str, seconds: int | None
) -> None:
    receiver.answer = lambda _path: (503, {"Retry-After": text})
    with pytest.raises(NotDelivered) as failed:
        SlackChannel("chat", url_file=str(address)).send(message_of("first"))
    assert (failed.value.pause.total_seconds() if failed.value.pause else None) == seconds
