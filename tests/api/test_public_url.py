"""The public URL: links, cookies and redirects keep to it, whatever the proxy in front does."""

import dataclasses
import re
from typing import Any

import pytest
import yaml
from flask.testing import FlaskClient

from cimaster.common.settings import BadSetting
from cimaster.repository.stores.port import Store
from cimaster.settings import Settings
from cimaster.web import public_url
from cimaster.web.endpoints import ENDPOINTS, Endpoint
from tests.conftest import Add

PUBLIC = "https://ci.example.com:8443/pool"
INSIDE = "http://10.1.2.3:8080"  # the Host header of a proxy that rewrites it
FIREFOX = {"User-Agent": "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"}
PAGES = [
    "/",
    "/ui/admin",
    "/ui/queue",
    "/ui/creations",
    "/ui/cluster?name=cluster-01",
    "/ui/whoami",
    "/ui/nowhere",
    "/ui/hold?cluster=cluster-01",
    "/ui/admin/add",
    "/ui/create",
    "/getvacant?build=1&job=a",
]
passed_on = pytest.mark.parametrize("before", ["", "/pool"], ids=["stripped", "whole"])


@pytest.fixture
def store(embedded_store: Store) -> Store:
    """One kind of store: addresses do not depend on it."""
    return embedded_store


@pytest.fixture
def settings(settings: Settings) -> Settings:
    """Settings with a public URL."""
    return dataclasses.replace(settings, public_url=PUBLIC)


@passed_on
@pytest.mark.parametrize("path", PAGES)
def test_every_address_in_a_page_is_below_the_prefix(client: FlaskClient, add: Add, before: str, path: str) -> None:
    add("cluster-01")
    page = client.get(before + path, headers={**FIREFOX, "Accept": "text/html"}, base_url=INSIDE)
    attributes = r'(?:href|src|action|formaction|hx-get|hx-post|value)="(/[^"]*)"'
    found = re.findall(attributes, page.text)
    assert len(found) > 5
    assert [address for address in found if not address.startswith("/pool/")] == []
    assert "10.1.2.3" not in page.text


@passed_on
@pytest.mark.parametrize("path", ["/static/app.js", "/healthz", "/clusters", "/ui/fragments/clusters"])
def test_the_api_and_static_files_are_served_below_the_prefix_too(client: FlaskClient, before: str, path: str) -> None:
    with client.get(before + path, base_url=INSIDE) as answer:
        assert answer.status_code == 200


@passed_on
def test_a_form_is_sent_and_leads_back_below_the_prefix(client: FlaskClient, add: Add, before: str) -> None:
    add("cluster-01")
    sent = {**FIREFOX, "Origin": "https://ci.example.com:8443", "Referer": f"{PUBLIC}/?q=cluster"}
    fields = {"cluster": "cluster-01", "name": "alice", "duration": "6h"}
    plain = client.post(f"{before}/ui/hold", data=fields, headers=sent, base_url=INSIDE)
    assert (plain.status_code, plain.location) == (303, "/pool/?q=cluster")
    for cookie in plain.headers.getlist("Set-Cookie"):
        assert "Path=/pool;" in f"{cookie};"
        assert "Secure" in cookie
    htmx = {**sent, "HX-Request": "true", "HX-Current-URL": f"{PUBLIC}/ui/cluster?name=cluster-01"}
    fields = {"cluster": "cluster-01", "name": "bob", "back": "/pool/ui/queue"}
    named = client.post(f"{before}/ui/whoami", data=fields, headers=htmx, base_url=INSIDE)
    assert named.headers["HX-Redirect"] == "/pool/ui/queue"


@passed_on
def test_a_form_updates_the_element_of_the_page_where_it_was_sent(client: FlaskClient, add: Add, before: str) -> None:
    add("cluster-01")
    sent = {**FIREFOX, "Origin": "https://ci.example.com:8443", "HX-Request": "true"}
    client.set_cookie("cimaster_name", "root", domain="10.1.2.3")
    pages = {"/ui/admin": 'class="cell-region"', "/ui/cluster?name=cluster-01": 'id="cluster"'}
    for page, piece in pages.items():
        sent["HX-Current-URL"] = PUBLIC + page
        fields = {"cluster": "cluster-01", "reason": "to be mended"}
        answer = client.post(f"{before}/ui/admin/disable", data=fields, headers=sent, base_url=INSIDE)
        assert answer.status_code == 200, answer.text
        assert piece in answer.text


@pytest.mark.parametrize("back", ["https://evil.test/ui/x", "//evil.test/ui/x", "/elsewhere", "/poolside/ui/queue"])
def test_a_form_leads_back_to_no_other_site(client: FlaskClient, back: str) -> None:
    answer = client.post("/ui/whoami", data={"name": "bob", "back": back}, base_url=INSIDE)
    assert (answer.status_code, answer.location) == (303, "/pool/")


@pytest.mark.parametrize("site", [{}, {"Sec-Fetch-Site": "same-origin"}, {"Sec-Fetch-Site": "cross-site"}])
def test_pages_of_the_public_url_may_send_changes(client: FlaskClient, add: Add, site: dict[str, str]) -> None:
    add("cluster-01")
    other = client.post("/getvacant?build=1&job=a", headers={"Origin": "https://other.example.com"}, base_url=INSIDE)
    assert (other.status_code, other.headers["CIMaster-Code"]) == (403, "cross_origin")
    assert "CIMASTER_PUBLIC_URL" in other.text
    sent = {"Origin": "https://ci.example.com:8443", **site}
    ours = client.post("/getvacant?build=1&job=a", headers=sent, base_url=INSIDE)
    assert ours.text == "cluster-01"


def test_links_for_elsewhere_are_the_public_ones(client: FlaskClient) -> None:
    with client.application.test_request_context(base_url=INSIDE, environ_overrides={"SCRIPT_NAME": "/pool"}):
        assert public_url.link("api.creations", creation="c-1") == f"{PUBLIC}/creations?creation=c-1"


@passed_on
def test_redirects_of_the_framework_stay_below_the_prefix(client: FlaskClient, before: str) -> None:
    answer = client.get(f"{before}/ui//hold", base_url=INSIDE)
    assert (answer.status_code, answer.location) == (308, "/pool/ui/hold")


def test_refusals_and_the_description_point_below_the_prefix(client: FlaskClient) -> None:
    refused = client.get("/getvacant", headers={"Accept": "application/json"})
    assert refused.get_json()["type"] == "/pool/openapi.yaml#missing_parameter"
    assert yaml.safe_load(client.get("/openapi.yaml").text)["servers"] == [{"url": "/pool/"}]


@pytest.mark.parametrize("endpoint", ENDPOINTS, ids=lambda endpoint: endpoint.path)
def test_a_path_that_is_our_own_is_refused_at_the_start(endpoint: Endpoint[Any]) -> None:
    first = endpoint.path.split("/")[1]
    reserved = Settings.from_environ({"CIMASTER_PUBLIC_URL": f"https://ci.example.com/{first}/x"})
    with pytest.raises(BadSetting, match=f"expected another path than /{first}"):
        public_url.check(reserved)


@pytest.mark.parametrize("path", ["", "/", "/pool", "/clusters-of-ci", "/a/clusters"])
def test_other_paths_are_accepted(path: str) -> None:
    public_url.check(Settings.from_environ({"CIMASTER_PUBLIC_URL": f"https://ci.example.com{path}"}))


@pytest.mark.parametrize(
    "text",
    [
        "ci.example.com",
        "ftp://ci.example.com",
        "https://ci.example.com/?a",
        "https://ci.example.com/a//b",
        "https://ci.example.com/../b",
        "https://me@ci.example.com",
        "https://ci.example.com:99999",
        "https://[x",
    ],
)
def test_a_malformed_public_url_is_refused(text: str) -> None:
    with pytest.raises(BadSetting, match=r"CIMASTER_PUBLIC_URL is .*: expected an address such as"):
        Settings.from_environ({"CIMASTER_PUBLIC_URL": text})
