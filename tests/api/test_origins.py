"""What browsers may do: a link, a preview or another site's page must change nothing, and programs must not notice."""

import dataclasses

import pytest
from flask.testing import FlaskClient

from cimaster.settings import Settings

FIREFOX = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"
POWERSHELL = "Mozilla/5.0 (Windows NT; Windows NT 10.0; en-US) WindowsPowerShell/5.1.19041.1682"
PORTAL = "https://portal.example.com"
TAKE = "/getvacant?build=1&job=a"


@pytest.fixture
def settings(settings: Settings) -> Settings:
    """Settings that trust the pages of a portal."""
    return dataclasses.replace(settings, trusted_origins=(PORTAL,))


@pytest.mark.parametrize("headers", [{"User-Agent": FIREFOX}, {"Sec-Fetch-Site": "none"}, {"Sec-Fetch-Site": ""}])
def test_a_browsers_get_changes_nothing(client: FlaskClient, add, headers: dict[str, str]) -> None:
    add("cluster-01")
    answer = client.get(TAKE, headers=headers)
    assert (answer.status_code, answer.headers["CIMaster-Code"]) == (405, "use_post")
    assert answer.headers["Allow"] == "POST"
    assert "send it as POST" in answer.text
    assert client.get(TAKE).text == "cluster-01"


def test_a_browser_is_shown_a_page_with_one_button_that_posts_it(client: FlaskClient, add) -> None:
    add("cluster-01")
    tricky = "\"><script>alert('x')</script>"
    answer = client.get(
        "/holdcluster", query_string={"cluster": "cluster-01", "name": "alice", "desc": tricky},
        headers={"User-Agent": FIREFOX, "Accept": "text/html,application/xhtml+xml,*/*;q=0.8"},
    )  # fmt: skip
    page = answer.text.lower()
    assert (answer.status_code, answer.mimetype) == (405, "text/html")
    assert answer.headers["CIMaster-Code"] == "use_post"
    assert 'method="post"' in page
    assert page.count('action="/holdcluster"') == 1
    form = page.partition('action="/holdcluster"')[2].partition("</form>")[0]
    assert form.count("<button") == 1
    for name, value in (("cluster", "cluster-01"), ("name", "alice")):
        assert f'name="{name}"' in page
        assert value in page
    assert "<script>alert" not in page
    assert client.get(TAKE).text == "cluster-01"


def test_head_never_changes_anything(client: FlaskClient, add) -> None:
    add("cluster-01")
    answer = client.head(TAKE)
    assert answer.status_code == 405
    assert set(answer.headers["Allow"].split(", ")) == {"GET", "POST"}
    assert client.get(TAKE).text == "cluster-01"


@pytest.mark.parametrize("agent", ["curl/8.5.0", "python-requests/2.32", "Wget/1.21", POWERSHELL, ""])
def test_programs_may_get(client: FlaskClient, add, agent: str) -> None:
    add("cluster-01")
    assert client.get(TAKE, headers={"User-Agent": agent}).text == "cluster-01"


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Origin": "http://localhost"},
        {"Origin": PORTAL},
        {"Origin": PORTAL, "Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-origin", "Origin": "http://localhost"},
        {"Sec-Fetch-Site": "same-origin"},
        {"Sec-Fetch-Site": "none"},
    ],
)
def test_pages_of_this_service_and_of_trusted_sites_may_post(client: FlaskClient, add, headers) -> None:
    add("cluster-01")
    assert client.post(TAKE, headers={"User-Agent": FIREFOX, **headers}).text == "cluster-01"


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "http://evil.example.com"},
        {"Origin": "null"},
        {"Origin": ""},
        {"Origin": "http://localhost:8081"},
        {"Origin": "http://localhost.evil.example.com"},
        {"Origin": "http://evil.example.com/localhost"},
        {"Origin": PORTAL + ".evil.example.com"},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
        {"Sec-Fetch-Site": ""},
        {"Sec-Fetch-Site": "cross-site", "Origin": "http://localhost"},
    ],
)
def test_pages_of_other_sites_may_not_post(client: FlaskClient, add, headers: dict[str, str]) -> None:
    add("cluster-01")
    answer = client.post(TAKE, headers=headers)
    assert (answer.status_code, answer.headers["CIMaster-Code"]) == (403, "cross_origin")
    assert "CIMASTER_TRUSTED_ORIGINS" in answer.text
    assert client.get(TAKE).text == "cluster-01"


@pytest.mark.parametrize("origin", ["http://[", "http://[::1", "https://[evil]"])
def test_an_origin_that_is_no_url_is_another_site(client: FlaskClient, add, origin: str) -> None:
    add("cluster-01")
    answer = client.post(TAKE, headers={"Origin": origin})
    assert (answer.status_code, answer.headers["CIMaster-Code"]) == (403, "cross_origin")
