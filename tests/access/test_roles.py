"""Every cell of the table of roles: which caller may use which endpoint, and what a refusal says."""

import json
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient

from cimaster.web import access
from cimaster.web.endpoints import ENDPOINTS, Endpoint
from cimaster.web.identity import roles
from cimaster.web.identity.roles import EVERYBODY, Role
from tests.access.conftest import As
from tests.docs import markdown
from tests.docs.service_parts import GIVING_ACCESS, may_use
from tests.required import OUTSIDER, bearer, name_of

_REFUSED = ("not_allowed", "no_credential", "bad_credential")


def request_of(client: FlaskClient, endpoint: Endpoint[Any]) -> Any:
    """Send the endpoint a request without parameters: allowed callers are refused for other reasons, or answered."""
    method = client.post if endpoint.changes else client.get
    return method(endpoint.path.replace("<name>", "cluster-01"))


@pytest.mark.parametrize("endpoint", ENDPOINTS, ids=lambda endpoint: endpoint.name)
@pytest.mark.parametrize("role", GIVING_ACCESS)
def test_a_role_opens_exactly_its_endpoints(calling: As, endpoint: Endpoint[Any], role: Role) -> None:
    answer = request_of(calling(name_of(role)), endpoint)
    if may_use(endpoint, role):
        assert answer.headers.get("CIMaster-Code") not in _REFUSED
    else:
        assert (answer.status_code, answer.headers["CIMaster-Code"]) == (403, "not_allowed")


@pytest.mark.parametrize("endpoint", ENDPOINTS, ids=lambda endpoint: endpoint.name)
def test_a_caller_without_role_or_credential_is_refused(client: FlaskClient, endpoint: Endpoint[Any]) -> None:
    unknown = request_of(client, endpoint)
    client.environ_base.update(HTTP_AUTHORIZATION=bearer(OUTSIDER)["Authorization"])
    outsider = request_of(client, endpoint)
    if endpoint.roles == EVERYBODY:
        assert unknown.headers.get("CIMaster-Code") not in _REFUSED
        assert outsider.headers.get("CIMaster-Code") not in _REFUSED
    else:
        assert (unknown.status_code, unknown.headers["CIMaster-Code"]) == (401, "no_credential")
        assert unknown.headers["WWW-Authenticate"] == 'Bearer realm="cimaster"'
        assert (outsider.status_code, outsider.headers["CIMaster-Code"]) == (403, "not_allowed")


def test_every_view_says_which_roles_it_is_for(app: Flask) -> None:
    with app.app_context():
        unmarked = [rule.endpoint for rule in app.url_map.iter_rules() if access.needed_roles(rule.endpoint) is None]
        open_views = {
            rule.endpoint for rule in app.url_map.iter_rules() if access.needed_roles(rule.endpoint) == EVERYBODY
        }
    assert unmarked == []
    assert {view for view in open_views if not view.startswith("pages.")} == {
        "static",
        "health.healthz",
        "health.readyz",
        "health.openapi",
    }


def test_a_view_without_a_mark_is_closed_even_to_admins(app: Flask, calling: As) -> None:
    app.add_url_rule("/new", "new", lambda: "open")
    answer = calling(name_of(Role.ADMIN)).get("/new")
    assert (answer.status_code, answer.headers["CIMaster-Code"]) == (403, "not_allowed")


def test_a_refusal_says_the_role_and_who_gives_it(calling: As) -> None:
    answer = calling("ci-1").post(
        "/holdcluster", data={"cluster": "cluster-01"}, headers={"Accept": "application/json"}
    )
    refusal = json.loads(answer.data)
    assert (refusal["needs"], refusal["has"]) == (["person"], ["reader", "ci"])
    assert refusal["detail"].startswith("user ci-1 is not authorized: this needs the role person (hold and release")
    assert "ask an admin (bob, root, admin-1)" in refusal["detail"]


def test_the_file_of_roles_in_the_documentation_can_be_used() -> None:
    (shown,) = markdown.blocks("docs/security.md", "ini")
    lines = roles.parse(shown.text)
    assert {line.role for line in lines} == set(Role) - {Role.PROBE}


def test_a_mistake_in_the_file_of_roles_is_explained() -> None:
    sentence = "line 2 is not a role and a pattern, such as `ci system:serviceaccount:ci:.*`; the roles are reader, ci"
    with pytest.raises(ValueError, match=sentence):
        roles.parse("reader rita\nadmin\n")
