"""The operator's file of channels: what it may say, and what a wrong line is answered."""

import re
from pathlib import Path

import pytest

from cimaster.notifiers import DefinedChannels, read
from cimaster.pool.records.notice import HOLD_ENDED, NOTICE_KINDS, QUARANTINED, Notice
from tests.notifiers.conftest import NOW

MAIL = "[mail]\nkind = mail\nserver = localhost:25\nsender = ci@example.com\ntls = none\n"


def notice(kind: str, **facts: str) -> Notice:
    """Return a notice."""
    return Notice.new(kind, NOW, "n1", facts)


@pytest.fixture
def hook(tmp_path: Path) -> str:
    """The section of a webhook."""
    (tmp_path / "secret").write_text("a key\n")
    return f"[hook]\nkind = webhook\nurl = https://example.com/\nsecret_file = {tmp_path}/secret\n"


def test_a_notice_goes_to_the_channels_that_want_it_and_to_the_person(hook: str) -> None:
    people = "[people]\nAlice Smith = mail alice@example.com\nbob = hook\n"
    defined = read(f"{hook}purposes = tess-ci\n{MAIL}{people}")
    assert defined.kinds == set(NOTICE_KINDS)
    assert defined.destinations(notice(QUARANTINED, purpose="tess-ci")) == ["hook"]
    assert defined.destinations(notice(QUARANTINED, purpose="tnet-ci")) == []
    held = {"purpose": "tnet-ci", "person": "alice SMITH"}
    assert defined.destinations(notice(HOLD_ENDED, **held)) == ["mail/alice smith"]
    assert defined.destinations(notice(HOLD_ENDED, purpose="tess-ci", person="bob")) == ["hook"]
    assert defined.destinations(notice(HOLD_ENDED, purpose="tnet-ci", person="bob")) == ["hook/bob"]


def test_a_channel_may_be_for_people_only(hook: str) -> None:
    defined = read(f"{hook}notices = none\n")
    assert defined.kinds == set()
    assert defined.destinations(notice(QUARANTINED)) == []
    assert read(MAIL).kinds == set()


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("[Hook]\nkind = webhook\n", "[Hook] is not a name for a channel: expected up to 63 lower case letters"),
        ("[hook]\nkind = fax\n", "[hook] has no known kind: expected kind = slack, webhook, mail"),
        ("[hook]\nkind = webhook\nurl = https://a/\n", "[hook] has no secret_file: add it"),
        (
            "[c]\nkind = slack\nurl_file = /none\n",
            "[c] its url_file names a file that cannot be read (FileNotFoundError)",
        ),
        (MAIL + "notices = all\n", "[mail] notices is 'all': expected some of hold-ending, "),
        (MAIL + "quiet = nights\n", "[mail] quiet is 'nights': expected days and hours, such as Mon-Fri"),
        (MAIL + "timeout = 1h\n", "[mail] timeout is '1h': expected a duration such as 90s, 30m"),
        (MAIL + "user = ci\n", "[mail] needs both user and password_file, or neither"),
        (MAIL + "[people]\nalice = mail\n", "[people] alice is 'mail': expected mail and a mail address"),
        (MAIL + "[people]\nalice = mail alice\n", "[people] alice is 'mail alice': expected mail and a mail address"),
        (MAIL + "[people]\nalice = chat\n", "[people] alice names the channel 'chat': expected mail"),
    ],
)
def test_a_wrong_line_is_named(text: str, sentence: str) -> None:
    with pytest.raises(ValueError, match=re.escape(sentence)):
        read(text)


def test_a_changed_file_counts_and_a_bad_one_does_not(tmp_path: Path) -> None:
    path = tmp_path / "notices.ini"
    channels = DefinedChannels(str(path))
    assert channels.kinds == set()
    path.write_text(MAIL + "to = a@example.com\n")
    assert channels.kinds == set(NOTICE_KINDS)
    path.write_text(MAIL + "to = nowhere\n")
    assert channels.kinds == set(NOTICE_KINDS)
    path.unlink()
    assert channels.kinds == set(NOTICE_KINDS)
    path.write_text("")
    assert channels.kinds == set()
