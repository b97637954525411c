"""The headers of an authenticating proxy: they count only from its address and with its secret."""

import logging
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cimaster.common import parsers
from cimaster.errors import BadProxyHeader
from cimaster.settings import Settings
from cimaster.web.identity.identity import Identity, Source
from cimaster.web.identity.proxy_headers import ProxyHeaders

PROXY, ELSEWHERE = "10.0.0.7", "10.0.1.7"
SECRET, NEXT = "0123456789abcdef" * 2, "fedcba9876543210" * 2
PASSED = {
    "REMOTE_ADDR": PROXY,
    "HTTP_X_CIMASTER_PROXY_SECRET": SECRET,
    "HTTP_X_FORWARDED_USER": "alice",
    "HTTP_X_FORWARDED_GROUPS": "dev, ops,,",
    "HTTP_X_FORWARDED_EMAIL": "alice@example.com",
}
IDENTITY_HEADERS = ("HTTP_X_FORWARDED_USER", "HTTP_X_FORWARDED_GROUPS", "HTTP_X_FORWARDED_EMAIL")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    (tmp_path / "secret").write_text(f"# of the proxy\n{SECRET}\n")
    return tmp_path / "secret"


@pytest.fixture
def settings(path: Path) -> Settings:
    trusted = parsers.networks("10.0.0.0/24, 2001:db8::/64")
    return Settings(proxy_secret_file=str(path), trusted_proxies=trusted)


@pytest.fixture
def headers(settings: Settings) -> ProxyHeaders:
    return ProxyHeaders(settings)


def without(*keys: str, **changed: str) -> dict[str, str]:
    """Return the request as the proxy passes it on, without some keys and with others changed."""
    return {key: value for key, value in {**PASSED, **changed}.items() if key not in keys}


def refusal(headers: ProxyHeaders, environ: dict[str, str]) -> str:
    """Return the sentence of the refusal."""
    with pytest.raises(BadProxyHeader) as refused:
        headers.identity(environ)
    return refused.value.sentence


def test_the_proxy_names_the_caller(headers: ProxyHeaders) -> None:
    expected = Identity("alice", Source.PROXY, frozenset({"dev", "ops"}), "alice@example.com")
    assert headers.identity(PASSED) == expected
    assert headers.identity(without(*IDENTITY_HEADERS[1:])) == Identity("alice", Source.PROXY)
    for address in ("::ffff:10.0.0.7", "2001:db8::1"):
        assert headers.identity(without(REMOTE_ADDR=address)) == expected


def test_a_request_without_these_headers_has_no_identity(headers: ProxyHeaders) -> None:
    for address in (PROXY, ELSEWHERE, ""):
        assert headers.identity({"REMOTE_ADDR": address, "HTTP_X_FORWARDED_FOR": PROXY}) is None


def test_a_request_with_only_the_secret_has_no_identity(headers: ProxyHeaders) -> None:
    assert headers.identity(without(*IDENTITY_HEADERS)) is None


def test_without_a_file_of_secrets_the_headers_mean_nothing(settings: Settings) -> None:
    headers = ProxyHeaders(replace(settings, proxy_secret_file=""))
    for address in (PROXY, ELSEWHERE):
        assert headers.identity(without(REMOTE_ADDR=address)) is None


@pytest.mark.parametrize("header", [*IDENTITY_HEADERS, "HTTP_X_CIMASTER_PROXY_SECRET"])
@pytest.mark.parametrize("address", [ELSEWHERE, "", "unix:", "::ffff:10.0.1.7", "2001:db8:0:1::1", "10.0.0.7, 1.1.1.1"])
def test_the_headers_are_refused_from_elsewhere(headers: ProxyHeaders, header: str, address: str) -> None:
    sent = {"REMOTE_ADDR": address, header: PASSED[header], "HTTP_X_FORWARDED_FOR": PROXY}
    assert "did not come from a proxy in CIMASTER_TRUSTED_PROXIES" in refusal(headers, sent)
    assert "did not come from a proxy" in refusal(headers, without(REMOTE_ADDR=address))


@pytest.mark.parametrize(
    "secret",
    ["", SECRET[:-1], SECRET + "0", SECRET.upper(), f"{SECRET},{SECRET}", f"{SECRET} ", NEXT, "\u0141", "\ud800"],
)
def test_the_headers_are_refused_without_the_secret(headers: ProxyHeaders, secret: str) -> None:
    for environ in (without(HTTP_X_CIMASTER_PROXY_SECRET=secret), without("HTTP_X_CIMASTER_PROXY_SECRET")):
        sentence = refusal(headers, environ)
        assert "came without the proxy's secret" in sentence
        assert SECRET not in sentence


def test_the_secret_can_be_replaced_without_a_gap(headers: ProxyHeaders, path: Path) -> None:
    with_next = without(HTTP_X_CIMASTER_PROXY_SECRET=NEXT)
    assert "secret" in refusal(headers, with_next)
    path.write_text(f"{NEXT}\n{SECRET}\n")
    assert headers.identity(PASSED) == headers.identity(with_next) is not None
    path.write_text(NEXT)
    assert headers.identity(with_next)
    assert "secret" in refusal(headers, PASSED)


@pytest.mark.parametrize(
    ("content", "trouble"),
    [
        (None, "does not exist"),
        ("", "it has 0 secrets"),
        (f"{SECRET}\n{NEXT}\n{SECRET[::-1]}", "it has 3 secrets"),
        (f"{SECRET}\nshort", "line 2 is no secret of 32 to 1000 printable ASCII characters"),
        (f"{SECRET}, {NEXT}", "line 1 is no secret"),
    ],
)
def test_with_an_unusable_file_nothing_is_trusted(
    headers: ProxyHeaders, path: Path, caplog: pytest.LogCaptureFixture, content: str | None, trouble: str
) -> None:
    assert (bool(headers.identity(PASSED)), headers.trouble) == (True, "")
    path.unlink()
    if content is not None:
        path.write_text(content)
    with caplog.at_level(logging.DEBUG):
        assert "came without the proxy's secret" in refusal(headers, PASSED)
    assert trouble in headers.trouble
    assert trouble in caplog.text
    assert not [secret for secret in (SECRET, NEXT, "short") if secret in caplog.text]


@pytest.mark.parametrize(
    ("user", "reason"),
    [
        ("", "missing or empty"),
        ("alice,bob", "several values"),
        ("alice,alice", "several values"),
        ("alice\nbob", "invisible characters or line breaks"),
        ("alice\u0085bob", "UTF-8"),
        ("alice\u0000", "invisible characters or line breaks"),
        ("alice  bob", "invisible characters or line breaks"),
        ("alice\u200b".encode().decode("latin-1"), "invisible characters or line breaks"),
        ("a\u2028b".encode().decode("latin-1"), "invisible characters or line breaks"),
        ("\u00e9", "not UTF-8"),
        ("\u0141", "not UTF-8"),
        ("system:admin", "expected a name that does not begin with system:"),
        ("SYSTEM:serviceaccount:ci:e2e", "expected a name that does not begin with system:"),
        ("group:admins", "expected a name that does not begin with system:"),
        ("x" * 64, "expected a name of 1 to 63 characters"),
        ("\ufb01ona".encode().decode("latin-1"), "letters that count as others when names are compared, here \ufb01"),
        ("\u212aevin".encode().decode("latin-1"), "letters that count as others"),
    ],
)
def test_a_user_that_cannot_be_a_name_is_refused(headers: ProxyHeaders, user: str, reason: str) -> None:
    assert reason in refusal(headers, without(HTTP_X_FORWARDED_USER=user))


@pytest.mark.parametrize("key", IDENTITY_HEADERS[1:])
def test_other_headers_without_a_user_are_refused(headers: ProxyHeaders, key: str) -> None:
    assert "missing or empty" in refusal(headers, without(*set(IDENTITY_HEADERS) - {key}))


@pytest.mark.parametrize("groups", ["dev,system:masters", "GROUP:dev", "dev\u0000", "x" * 254, "\u00e9"])
def test_odd_groups_are_refused(headers: ProxyHeaders, groups: str) -> None:
    assert "X-Forwarded-Groups" in refusal(headers, without(HTTP_X_FORWARDED_GROUPS=groups))


@pytest.mark.parametrize(
    "email", ["alice", "a@example.com,b@example.com", "a @b", "a@b\u0007", f"{'x' * 250}@b.example", "\u00c5\u00bfam@b"]
)
def test_an_odd_address_is_refused(headers: ProxyHeaders, email: str) -> None:
    assert "X-Forwarded-Email" in refusal(headers, without(HTTP_X_FORWARDED_EMAIL=email))


def test_a_group_that_could_be_mistaken_for_another_counts_nothing(headers: ProxyHeaders) -> None:
    identity = headers.identity(without(HTTP_X_FORWARDED_GROUPS="dev,op\u017f,\ufb01nance".encode().decode("latin-1")))
    assert identity is not None
    assert identity.groups == {"dev"}


def test_names_may_have_any_letters(headers: ProxyHeaders) -> None:
    sent = without(HTTP_X_FORWARDED_USER="Jos\u00e9 \u6731".encode().decode("latin-1"))
    identity = headers.identity(sent)
    assert identity is not None
    assert identity.name == "Jos\u00e9 \u6731"


def test_the_names_of_the_headers_can_be_chosen(settings: Settings) -> None:
    headers = ProxyHeaders(replace(settings, proxy_user_header="X-Auth-Request-User"))
    sent = without(*IDENTITY_HEADERS, HTTP_X_AUTH_REQUEST_USER="bob")
    assert headers.identity(sent) == Identity("bob", Source.PROXY)
    assert headers.identity({"REMOTE_ADDR": ELSEWHERE, "HTTP_X_FORWARDED_USER": "alice"}) is None


@given(st.fixed_dictionaries({}, optional={key: st.text() | st.just(value) for key, value in PASSED.items()}))
def test_any_headers_can_be_read(tmp_path_factory: pytest.TempPathFactory, environ: dict[str, str]) -> None:
    path = tmp_path_factory.mktemp("proxy") / "secret"
    path.write_text(SECRET)
    trusted = parsers.networks("10.0.0.0/24")
    headers = ProxyHeaders(Settings(proxy_secret_file=str(path), trusted_proxies=trusted))
    try:
        identity = headers.identity(environ)
    except BadProxyHeader:
        return
    if identity is not None:
        assert (environ["REMOTE_ADDR"], environ["HTTP_X_CIMASTER_PROXY_SECRET"]) == (PROXY, SECRET)
