"""Sessions: what was signed here is read until it ends, and nothing else is."""

import base64
import hashlib
import hmac
import json
import logging
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cimaster.errors import IdentityUnavailable
from cimaster.pool.decisions.sign_outs import LONGEST_SESSION
from cimaster.web.identity.identity import Identity, Source
from cimaster.web.identity.sessions import Session, Sessions
from tests.conftest import MovableClock

KEY, NEXT = "k" * 31 + "1", "k" * 31 + "2"
ALICE = Identity("Alice \u6731", Source.STATIC, credential="0123456789abcdef")
CONTENT = {"name": "a", "source": "token", "issued": 0, "expires": 1, "credential": "", "id": "x"}


@pytest.fixture
def path(tmp_path: Path) -> Path:
    (tmp_path / "keys").write_text(f"{KEY}\n")
    return tmp_path / "keys"


@pytest.fixture
def sessions(path: Path, clock: MovableClock) -> Sessions:
    return Sessions(str(path), clock)


def read(sessions: Sessions, cookie: str) -> Session:
    session = sessions.read(cookie)
    assert session is not None
    return session


def signed(content: object, key: str = KEY, version: str = "1", purpose: str = "cimaster session ") -> str:
    """Return a cookie with any content and a signature that is right."""
    data = content if isinstance(content, bytes) else json.dumps(content).encode()
    text = f"{version}.{_base64(data)}"
    return f"{text}.{_base64(hmac.digest(key.encode(), (purpose + text).encode(), hashlib.sha256))}"


def _base64(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def test_a_session_names_its_caller(sessions: Sessions, clock: MovableClock) -> None:
    before = clock()
    session = read(sessions, sessions.sign(ALICE))
    identity = session.identity
    assert (identity.name, identity.source, identity.credential) == (ALICE.name, Source.SESSION, ALICE.credential)
    assert (session.began_with, identity.expires) == (Source.STATIC, session.expires)
    assert before - timedelta(milliseconds=1) <= session.issued <= clock()
    assert session.expires == session.issued + LONGEST_SESSION


def test_each_session_has_an_id_of_its_own(sessions: Sessions) -> None:
    first, second = (read(sessions, sessions.sign(ALICE)) for _ in range(2))
    assert first.session_id != second.session_id
    assert min(len(first.session_id), len(second.session_id)) >= 20


def test_a_session_ends_after_twelve_hours(sessions: Sessions, clock: MovableClock) -> None:
    cookie = sessions.sign(ALICE)
    clock.forward(hours=11, minutes=59)
    assert sessions.read(cookie)
    clock.forward(minutes=2)
    assert sessions.read(cookie) is None


def test_a_session_ends_with_its_credential(sessions: Sessions, clock: MovableClock) -> None:
    account = Identity("system:serviceaccount:ci:e2e", Source.SERVICE_ACCOUNT, expires=clock() + timedelta(hours=1))
    cookie = sessions.sign(account)
    assert read(sessions, cookie).began_with is Source.SERVICE_ACCOUNT
    clock.forward(hours=1)
    assert sessions.read(cookie) is None
    assert sessions.read(sessions.sign(account)) is None


def test_a_session_begun_in_a_session_ends_no_later(sessions: Sessions, clock: MovableClock) -> None:
    first = read(sessions, sessions.sign(ALICE))
    clock.forward(hours=6)
    assert read(sessions, sessions.sign(first.identity)).expires == first.expires


def test_the_clock_of_another_replica_may_be_behind(sessions: Sessions, clock: MovableClock) -> None:
    cookie = sessions.sign(ALICE)
    clock.forward(seconds=-9)
    assert sessions.read(cookie)
    clock.forward(seconds=-2)
    assert sessions.read(cookie) is None


def test_keys_can_be_replaced_without_ending_sessions(sessions: Sessions, path: Path) -> None:
    old = sessions.sign(ALICE)
    path.write_text(f"{NEXT}\n{KEY}\n")
    new = sessions.sign(ALICE)
    assert (bool(sessions.read(old)), bool(sessions.read(new))) == (True, True)
    path.write_text(NEXT)
    assert (sessions.read(old), bool(sessions.read(new))) == (None, True)


@pytest.mark.parametrize(
    "content", [None, "", "short", f"{KEY}\n{NEXT}\n{KEY[::-1]}", "# none", f"{KEY[:16]} {KEY[16:]}"]
)
def test_without_a_usable_key_there_are_no_sessions(
    sessions: Sessions, path: Path, caplog: pytest.LogCaptureFixture, content: str | None
) -> None:
    cookie = sessions.sign(ALICE)
    path.unlink()
    if content is not None:
        path.write_text(content)
    with caplog.at_level(logging.DEBUG):
        assert sessions.read(cookie) is None
        with pytest.raises(IdentityUnavailable, match="CIMASTER_SESSION_KEY_FILE"):
            sessions.sign(ALICE)
    assert str(path) in sessions.trouble
    assert sessions.trouble in caplog.text
    assert KEY[16:] not in caplog.text
    assert sessions.read(signed(CONTENT, key="")) is None


def test_a_changed_cookie_is_refused(sessions: Sessions) -> None:
    cookie = sessions.sign(ALICE)
    version, content, signature = cookie.split(".")
    other = json.loads(base64.urlsafe_b64decode(content + "=="))
    other["name"] = "root"
    forged = _base64(json.dumps(other).encode())
    for changed in (
        f"{version}.{forged}.{signature}",
        f"{version}.{content}.",
        f"{version}.{content}",
        f"2.{content}.{signature}",
        f".{content}.{signature}",
        f"{version}.{content}..{signature}",
        f"{version}.{content}.{signature}=",
        f"{version}.{content}=.{signature}",
        f"{version}.{content}.{_base64(b'')}",
        f"{cookie}x",
        cookie[:-1],
        cookie.swapcase(),
        "",
    ):
        assert sessions.read(changed) is None, changed
    for position in range(len(cookie)):
        flipped = chr(ord(cookie[position]) ^ 1)
        assert sessions.read(cookie[:position] + flipped + cookie[position + 1 :]) is None, position


def test_a_signature_for_another_purpose_is_refused(sessions: Sessions, clock: MovableClock) -> None:
    now = int(clock().timestamp() * 1000)
    content = {**CONTENT, "issued": now, "expires": now + 60_000}
    assert read(sessions, signed(content)).identity.name == "a"
    for wrong in (signed(content, purpose=""), signed(content, key=NEXT), signed(content, version="2")):
        assert sessions.read(wrong) is None


@pytest.mark.parametrize(
    "changed",
    [
        {"name": 1},
        {"name": None},
        {"source": "root"},
        {"source": []},
        {"issued": "0"},
        {"issued": -1},
        {"issued": True},
        {"expires": 1e12},
        {"expires": 10**30},
        {"expires": None},
        {"credential": {}},
        {"id": None},
        {"expires": 253_402_300_799_000},
    ],
)
def test_signed_content_is_read_strictly(sessions: Sessions, clock: MovableClock, changed: dict[str, Any]) -> None:
    now = int(clock().timestamp() * 1000)
    assert sessions.read(signed({**CONTENT, "issued": now, "expires": now + 60_000, **changed})) is None


@pytest.mark.parametrize("content", [b"", b"[]", b"{}", b"\xff", b"[" * 600, b"9" * 600, b"null", b'"name"'])
def test_signed_content_that_is_no_session_is_refused(sessions: Sessions, content: bytes) -> None:
    assert sessions.read(signed(content)) is None


@given(
    st.text()
    | st.builds(signed, st.dictionaries(st.sampled_from(list(CONTENT)), st.none() | st.integers() | st.text()))
)
def test_any_cookie_can_be_read(tmp_path_factory: pytest.TempPathFactory, cookie: str) -> None:
    path = tmp_path_factory.mktemp("sessions") / "keys"
    path.write_text(KEY)
    assert Sessions(str(path)).read(cookie) is None


@given(st.text(max_size=63) | st.just(f"system:serviceaccount:{'n' * 63}:{'a' * 253}"))
def test_every_name_survives_in_less_than_1_kb(tmp_path_factory: pytest.TempPathFactory, name: str) -> None:
    path = tmp_path_factory.mktemp("sessions") / "keys"
    path.write_text(KEY)
    sessions = Sessions(str(path))
    cookie = sessions.sign(Identity(name, Source.SERVICE_ACCOUNT, credential="0" * 16))
    assert len(cookie) < 1000
    assert cookie.isascii()
    assert read(sessions, cookie).identity.name == name
