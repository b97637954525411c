"""The examples of docs/notices.md work: its channels, its check of a signature, and its further kind of channel."""

import re
import types
from pathlib import Path

import pytest

from cimaster.notifiers import KINDS, read
from cimaster.notifiers.webhook import WebhookChannel
from cimaster.pool.records.notice import NOTICE_KINDS
from tests.notifiers.conftest import message_of
from tests.notifiers.receiver import SECRET, Receiver

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "notices.md").read_text("utf-8")
SAMPLE = (ROOT / "cimaster" / "samples" / "notices.ini").read_text("utf-8")


def code(language: str, word: str) -> str:
    """Return the block of code in which a word occurs."""
    blocks: list[str] = re.findall(rf"^```{language}\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
    (found,) = (block for block in blocks if word in block)
    return found


def module(word: str) -> types.ModuleType:
    """Return a block of Python as a module."""
    made = types.ModuleType("documented")
    exec(compile(code("python", word), "docs/notices.md", "exec"), made.__dict__)
    return made


def test_the_table_lists_every_kind_of_notice() -> None:
    section = PAGE.partition("## What is sent")[2].partition("\n## ")[0]
    assert tuple(re.findall(r"^\| `([a-z-]+)` ", section, re.MULTILINE)) == NOTICE_KINDS


@pytest.mark.parametrize("text", [code("text", "[ops]"), re.sub(r"(?m)^# ?(?=\[|\w+ = )", "", SAMPLE)])
def test_the_channels_can_be_read(text: str, tmp_path: Path) -> None:
    for name in ("ops-url", "network-url", "audit-key", "mail-password"):
        (tmp_path / name).write_text("https://example.com/\n")
    defined = read(text.replace("/etc/cimaster/notices-secrets", str(tmp_path)))
    assert {type(each) for each in defined.channels.values()} == set(KINDS.values())
    assert set(defined.people) == {"alice", "bob"}


def test_the_sample_defines_nothing_before_it_is_edited() -> None:
    assert read(SAMPLE).channels == {}


def test_the_signature_is_verified_as_shown(
    receiver: Receiver, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "secret").write_text(SECRET)
    verifier = module("is_genuine")
    WebhookChannel("hook", url=receiver.url, secret_file=str(tmp_path / "secret")).send(message_of("first"))
    headers, body = receiver.headers[0], receiver.texts[0]
    sent_at = int(headers["webhook-timestamp"])
    monkeypatch.setattr(verifier, "time", types.SimpleNamespace(time=lambda: sent_at + 299))
    assert verifier.is_genuine(headers, body, SECRET)
    assert not verifier.is_genuine(headers, body + b" ", SECRET)
    monkeypatch.setattr(verifier, "time", types.SimpleNamespace(time=lambda: sent_at + 301))
    assert not verifier.is_genuine(headers, body, SECRET)


def test_a_further_kind_is_one_file(receiver: Receiver, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(KINDS, "ntfy", module("NtfyChannel").NtfyChannel)
    defined = read(f"[phones]\nkind = ntfy\nurl = {receiver.url}\n")
    defined.channels["phones"].send(message_of("first", "second"))
    assert receiver.texts == [b"first\nsecond"]
