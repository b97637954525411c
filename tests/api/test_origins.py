"""What browsers may do: a link, a preview or another site's page must change nothing, and programs must not notice."""

import dataclasses

import pytest
from flask.testing import FlaskClient

from cimaster.common.settings import BadSetting
from cimaster.repository.stores.port import Store
from cimaster.settings import Settings
from tests.conftest import Add

FIREFOX = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"
POWERSHELL = "Mozilla/5.0 (Windows NT; Windows NT 10.0; en-US) WindowsPowerShell/5.1.19041.1682"
PORTAL = "https://portal.example.com"
TAKE = "/getvacant?build=1&job=a"


@pytest.fixture
def store(embedded_store: Store) -> Store:
    """One kind of store: where a request comes from is judged before it reaches a store."""
    return embedded_store


@pytest.fixture
def settings(settings: Settings) -> Settings:
    """Settings that trust the pages of a portal."""
    return dataclasses.replace(settings, trusted_origins=(PORTAL,))


@pytest.mark.parametrize("headers", [{"User-Agent": FIREFOX}, {"Sec-Fetch-Site": "none"}, {"Sec-Fetch-Site": ""}])
def test_a_browsers_get_changes_nothing(client: FlaskClient, add: Add, headers: dict[str, str]) -> None:
    add("cluster-01")
    answer = client.get(TAKE, headers=headers)
    assert (answer.status_code, answer.headers["CIMaster-Code"]) == (405, "use_post")
    assert answer.headers["Allow"] == "POST"
    assert "send it as POST" in answer.text
    assert client.get(TAKE).text == "cluster-01"


def test_a_browser_is_shown_a_page_with_one_button_that_posts_it(client: FlaskClient, add: Add) -> None:
    add("cluster-01")
    tricky = "\"><script>alert('x')</script>"
    answer = client.get(
        "/holdcluster",
        query_string={"cluster": "cluster-01", "name": "alice", "desc": tricky},
        headers={"User-Agent": FIREFOX, "Accept": "text/html,application/xhtml+xml,*/*;q=0.8"},
    )
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


def test_head_never_changes_anything(client: FlaskClient, add: Add) -> None:
    add("cluster-01")
    answer = client.head(TAKE)
    assert answer.status_code == 405
    assert set(answer.headers["Allow"].split(", ")) == {"GET", "POST"}
    assert client.get(TAKE).text == "cluster-01"


PROGRAMS = [
    {"User-Agent": "curl/8.5.0", "Accept": "*/*"},
    {"User-Agent": "python-requests/2.32", "Accept": "*/*", "Accept-Encoding": "gzip, deflate"},
    {"User-Agent": "Wget/1.21", "Accept": "*/*", "Accept-Encoding": "identity"},
    {"User-Agent": POWERSHELL},
    {"User-Agent": "Java/17.0.9", "Accept": "text/html, image/gif, image/jpeg, *; q=.2, */*; q=.2"},
    {"User-Agent": "program/1.0", "Accept": "application/json, text/html;q=0"},
    {"User-Agent": "program/1.0", "Accept": "*/*, TEXT/HTML;level=1;Q=0.000"},
    {"User-Agent": "Java/21.0.1", "Accept": "text/html, image/gif, image/jpeg, */*; q=0.2"},
    {"User-Agent": "Apache-HttpClient/5.3 (Java/17)", "Accept-Encoding": "gzip, x-gzip, deflate"},
    {"User-Agent": "Go-http-client/1.1", "Accept-Encoding": "gzip"},
    {"User-Agent": "node", "Accept": "*/*", "Accept-Language": "*", "Sec-Fetch-Mode": "cors"},
    {"User-Agent": "axios/1.7", "Accept": "application/json, text/plain, */*"},
    {"User-Agent": ""},
    {"Referer": "http://pool.example.com:8080/ui/queue"},
]


@pytest.mark.parametrize("headers", PROGRAMS, ids=lambda headers: headers.get("User-Agent", "other"))
def test_programs_may_get_under_any_name(client: FlaskClient, add: Add, headers: dict[str, str]) -> None:
    add("cluster-01")
    answer = client.get(TAKE, headers=headers, base_url="http://pool.example.com:8080")
    assert "cluster-01" in answer.text, answer.text
    assert answer.status_code == 200


@pytest.mark.parametrize(
    ("headers", "why"),
    [
        ({"User-Agent": "Slackbot-LinkExpanding 1.0 (+https://api.slack.com/robots)"}, "link preview"),
        ({"User-Agent": "Twitterbot/1.0"}, "link preview"),
        ({"User-Agent": "facebookexternalhit/1.1"}, "link preview"),
        ({"User-Agent": "TelegramBot (like TwitterBot)"}, "link preview"),
        ({"User-Agent": "WhatsApp/2.23.20.0"}, "link preview"),
        ({"User-Agent": "SkypeUriPreview Preview/0.5"}, "link preview"),
        ({"User-Agent": "LinkedInBot/1.0 (compatible; Mozilla/5.0)"}, "link preview"),
        ({"User-Agent": "GitHub-Camo"}, "link preview"),
        ({"User-Agent": "curl/8.5.0", "Purpose": "prefetch"}, "header Purpose"),
        ({"User-Agent": "curl/8.5.0", "Sec-Purpose": "prefetch;prerender"}, "header Sec-Purpose"),
        ({"User-Agent": "curl/8.5.0", "Origin": "http://localhost"}, "header Origin"),
        ({"User-Agent": "preview/1.0", "Accept": "text/html"}, "asks for HTML"),
        ({"User-Agent": "preview/1.0", "Accept": "application/xhtml+xml,*/*;q=0.8"}, "asks for HTML"),
        *(
            ({"User-Agent": "preview/1.0", "Accept": named}, "asks for HTML")
            for named in (
                "TEXT/HTML",
                "Text/HTML,*/*",
                "text/html;charset=utf-8",
                "text/html;level=1",
                "text/html;q=x",
                'a/b;x="c,d", text/html ; level=1; q=0.1',
                "Application/XHTML+XML;v=1",
            )
        ),
        ({"User-Agent": "preview/1.0", "Referer": "https://chat.example.com/"}, "another site's Referer"),
        ({"User-Agent": "preview/1.0", "Referer": "http://["}, "another site's Referer"),
    ],
)
def test_previews_and_prefetches_change_nothing(
    client: FlaskClient, add: Add, headers: dict[str, str], why: str
) -> None:
    add("cluster-01")
    answer = client.get(TAKE, headers=headers)
    assert (answer.status_code, answer.headers["CIMaster-Code"]) == (405, "use_post")
    assert ("<form" in answer.text) if "Accept" in headers else (why in answer.text)
    assert client.get(TAKE).text == "cluster-01"
    assert client.get("/clusters", headers={k: v for k, v in headers.items() if k != "Origin"}).status_code == 200


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
def test_pages_of_this_service_and_of_trusted_sites_may_post(
    client: FlaskClient, add: Add, headers: dict[str, str]
) -> None:
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
def test_pages_of_other_sites_may_not_post(client: FlaskClient, add: Add, headers: dict[str, str]) -> None:
    add("cluster-01")
    answer = client.post(TAKE, headers=headers)
    assert (answer.status_code, answer.headers["CIMaster-Code"]) == (403, "cross_origin")
    assert "CIMASTER_TRUSTED_ORIGINS" in answer.text
    assert "CIMASTER_PUBLIC_URL" in answer.text
    assert client.get(TAKE).text == "cluster-01"


@pytest.mark.parametrize("origin", ["http://[", "http://[::1", "https://[evil]"])
def test_an_origin_that_is_no_url_is_another_site(client: FlaskClient, add: Add, origin: str) -> None:
    add("cluster-01")
    answer = client.post(TAKE, headers={"Origin": origin})
    assert (answer.status_code, answer.headers["CIMaster-Code"]) == (403, "cross_origin")


def test_an_origin_of_null_is_no_host_that_cannot_be_read(client: FlaskClient, add: Add) -> None:
    add("cluster-01")
    answer = client.post(TAKE, headers={"Origin": "null", "Host": "a b"})
    assert answer.status_code in (403, 421)
    assert client.get(TAKE).text == "cluster-01"


@pytest.mark.parametrize("origin", ["null", "portal.example.com", "https://portal.example.com/x", "ftp://portal", "*"])
def test_what_is_no_origin_cannot_be_trusted(origin: str) -> None:
    with pytest.raises(BadSetting, match=r"CIMASTER_TRUSTED_ORIGINS is .*: expected origins such as"):
        Settings.from_environ({"CIMASTER_TRUSTED_ORIGINS": f"https://a.example {origin}"})


def test_origins_are_read_as_browsers_write_them() -> None:
    trusting = Settings.from_environ({"CIMASTER_TRUSTED_ORIGINS": "HTTPS://Portal.Example.com:443/, http://[::1]:8080"})
    assert trusting.trusted_origins == ("https://portal.example.com", "http://[::1]:8080")
