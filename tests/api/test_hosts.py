"""The host names by which browsers may reach the service; a site that points its own name at us is refused."""

import dataclasses

import pytest
from flask.testing import FlaskClient

from cimaster.common.settings import BadSetting
from cimaster.repository.stores.port import Store
from cimaster.settings import Settings
from tests.conftest import Add

CHROMIUM = "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0 Safari/537.36"
MARKS = [
    {"User-Agent": CHROMIUM},
    {"Sec-Fetch-Site": "same-origin", "Sec-Fetch-Mode": "cors"},
    {"Origin": "http://evil.test:8080"},
    {"User-Agent": "curl/8.5.0", "Accept-Language": "en"},  # a page's script set User-Agent, as Firefox allows
]


@pytest.fixture
def store(embedded_store: Store) -> Store:
    """One kind of store: a host name is judged before a request reaches a store."""
    return embedded_store


@pytest.fixture
def settings(settings: Settings) -> Settings:
    """Settings that name the service."""
    return dataclasses.replace(settings, hosts=("pool.example.com",), public_url="https://ci.example.com:8443/pool")


@pytest.mark.parametrize("headers", MARKS)
@pytest.mark.parametrize("path", ["/", "/ui/admin", "/clusters", "/static/app.js", "/healthz", "/pool/"])
def test_another_host_name_is_refused_on_every_page(client: FlaskClient, path: str, headers: dict[str, str]) -> None:
    answer = client.get(path, headers=headers, base_url="http://evil.test:8080")
    assert (answer.status_code, answer.headers["CIMaster-Code"]) == (421, "unknown_host")
    assert "CIMASTER_HOSTS" in answer.text


def test_a_page_under_another_name_changes_nothing(client: FlaskClient, add: Add) -> None:
    add("cluster-01")
    sent = {"User-Agent": CHROMIUM, "Origin": "http://evil.test:8080", "Sec-Fetch-Site": "same-origin"}
    answer = client.post("/getvacant?build=1&job=a", headers=sent, base_url="http://evil.test:8080")
    assert answer.status_code == 421
    assert client.get("/getvacant?build=1&job=a").text == "cluster-01"


@pytest.mark.parametrize(
    "host",
    [
        "evil.test",
        "x.svc.evil.test",
        "127.0.0.1.evil.test",
        "localhost.evil.test",
        "pool.example.com.evil.test",
        "example.com",
        "under_score.test",
        "1.2.3",
        "[::1",
        "evil.test.",
    ],
)
def test_names_that_any_site_may_have_are_refused(client: FlaskClient, host: str) -> None:
    answer = client.get("/", headers={"User-Agent": CHROMIUM, "Host": host})
    assert (answer.status_code, answer.headers["CIMaster-Code"]) == (421, "unknown_host")


@pytest.mark.parametrize(
    "host",
    [
        "127.0.0.1:8080",
        "[::1]:8080",
        "10.1.2.3",
        "localhost",
        "LOCALHOST:8080",
        "localhost.",
        "cimaster",
        "cimaster.ci.svc",
        "cimaster.ci.svc.cluster.local:8080",
        "pool.example.com",
        "Pool.Example.com:81",
        "ci.example.com",
        "ci.example.com:8443",
    ],
)
def test_our_names_and_names_that_no_site_can_have_are_served(client: FlaskClient, host: str) -> None:
    assert client.get("/", headers={"User-Agent": CHROMIUM, "Host": host}).status_code == 200


def test_a_browser_sees_the_setting_and_its_value(client: FlaskClient, add: Add) -> None:
    add("cluster-01")
    sent = {"User-Agent": CHROMIUM, "Accept": "text/html", "Host": "cimaster.corp.example:8080"}
    answer = client.get("/", headers=sent)
    assert (answer.status_code, answer.mimetype) == (421, "text/html")
    assert "CIMASTER_HOSTS=cimaster.corp.example\n" in answer.text
    assert "cluster-01" not in answer.text
    hostile = client.get("/", headers={**sent, "Host": "<b>x.test"})
    assert hostile.status_code == 421
    assert "<b>" not in hostile.text


@pytest.mark.parametrize("text", ["cimaster.example.com:8080", "https://cimaster.example.com", "a/b", "*"])
def test_a_malformed_host_name_is_refused(text: str) -> None:
    with pytest.raises(BadSetting, match=r"CIMASTER_HOSTS is .*: expected host names"):
        Settings.from_environ({"CIMASTER_HOSTS": text})
