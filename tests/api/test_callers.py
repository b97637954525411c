"""The caller's address: which headers are trusted for it, and that the log has it."""

import dataclasses

import pytest
from flask.testing import FlaskClient

from cimaster.common import parsers
from cimaster.settings import Settings
from cimaster.web import callers
from tests.log_lines import logged

PROXY, CALLER = "10.0.0.7", "192.0.2.1"


@pytest.fixture
def settings(settings: Settings) -> Settings:
    """Settings that trust proxies in one network."""
    return dataclasses.replace(settings, trusted_proxies=parsers.networks("10.0.0.0/8, fd00::/8"))


@pytest.mark.parametrize(
    ("connected", "forwarded", "caller"),
    [
        (CALLER, None, CALLER),
        (CALLER, "203.0.113.9", CALLER),  # not sent by one of our proxies
        (PROXY, None, PROXY),
        (PROXY, CALLER, CALLER),
        (PROXY, f"203.0.113.9, {CALLER}", CALLER),  # the first entry was sent by the caller
        (PROXY, f"203.0.113.9, {CALLER}, 10.0.0.8, 10.9.9.9", CALLER),
        (PROXY, "10.0.0.8, 10.9.9.9", "10.0.0.8"),
        (PROXY, f"{CALLER}:4711", CALLER),
        (PROXY, "[2001:db8::1]:4711", "2001:db8::1"),
        (PROXY, "2001:db8::1", "2001:db8::1"),
        (PROXY, f"{CALLER}, unknown", PROXY),
        (PROXY, f"{CALLER},", PROXY),
        (PROXY, "\x00, 999.1.1.1", PROXY),
        (f"::ffff:{PROXY}", f"::ffff:{CALLER}", CALLER),
        ("fd00::7", CALLER, CALLER),
        ("", CALLER, ""),
    ],
)
def test_the_callers_address_is_what_a_trusted_proxy_says(connected: str, forwarded: str | None, caller: str) -> None:
    environ = {"REMOTE_ADDR": connected, **({"HTTP_X_FORWARDED_FOR": forwarded} if forwarded is not None else {})}
    assert callers.address(environ, parsers.networks("10.0.0.0/8, fd00::/8")) == caller


@pytest.mark.parametrize("text", ["10.0.0.1/8", "proxy.example.com", "10.0.0.0/33", "*"])
def test_a_malformed_network_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"networks such as 10\.0\.0\.0/8"):
        parsers.networks(text)


def test_each_line_of_a_request_names_the_callers_address(client: FlaskClient) -> None:
    with logged() as log:
        client.get("/queue", headers={"X-Forwarded-For": CALLER}, environ_base={"REMOTE_ADDR": PROXY})
        client.get("/getvacant", environ_base={"REMOTE_ADDR": "203.0.113.9"})
        client.get("/nowhere", environ_base={"REMOTE_ADDR": CALLER})
    assert [line["remote"] for line in log.lines] == [CALLER, "203.0.113.9", CALLER]


def test_a_long_path_is_cut_in_the_log(client: FlaskClient) -> None:
    with logged() as log:
        client.get(f"/{'x' * 50_000}")
    assert 500 < len(log.text) < 1_500
