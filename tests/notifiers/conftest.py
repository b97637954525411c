"""Receivers on this machine, and a message to send to them."""

from collections.abc import Iterator
from datetime import UTC, datetime

import pytest

from cimaster.notifiers.message import Item, Message
from tests.checks.conftest import self_signed as self_signed
from tests.notifiers.receiver import Receiver

NOW = datetime(2026, 3, 4, 5, 6, 7, tzinfo=UTC)


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    """A receiver of webhooks."""
    with Receiver() as receiver:
        yield receiver


@pytest.fixture
def message() -> Message:
    """A message with one notice."""
    return message_of("cluster-01 is quarantined: <no> network & disk")


def message_of(*texts: str, to: str = "") -> Message:
    """Return a message with a notice for each text."""
    link = "https://ci.example.com/ui/cluster?name=cluster-01"
    facts = {"cluster": "cluster-01", "purpose": "tess-ci"}
    items = [Item(f"7-{number}", "quarantined", NOW, text, link, facts) for number, text in enumerate(texts)]
    return Message(tuple(items), NOW, "https://ci.example.com", to)
