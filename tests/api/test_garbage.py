"""Any input is answered with a refusal that names its fault, never with a failure of the service."""

import json
from collections.abc import Iterator
from io import BytesIO
from typing import Any
from urllib.parse import quote

import pytest
from flask import Flask
from flask.testing import FlaskClient
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from werkzeug.test import TestResponse

from cimaster.app import create_app
from cimaster.common.parameters import Parameter
from cimaster.pool import Answer, Pool
from cimaster.pool import parsers as form
from cimaster.repository.stores.sqlite import SQLiteStore
from cimaster.settings import Settings
from cimaster.web.components import components_of
from cimaster.web.endpoints import ENDPOINTS, HISTORY, VERBS, Endpoint
from tests.conftest import ADMIN

# The service's threads draw random pauses, which make hypothesis report a strategy that is not reproducible.
pytestmark = pytest.mark.filterwarnings("ignore:Do not use the `random` module inside strategies")

JSON = {"Accept": "application/json"}
GOOD = {
    "build": "1",
    "job": "e2e",
    "cluster": "cluster-01",
    "name": "root",
    "region": "us-west",
    "lease": "a" * 32,
    "purpose": "tess-ci",
    "osimage": "x",
    "label": "a=b",
    "email": "a@b",
    "ttl": "1h",
    "duration": "1h",
    "desc": "d",
    "reason": "r",
    "to": "bob",
    "clear": "note",
    "note": "n",
    "force": "true",
    "expect": "vacant",
    "state": "vacant",
    "holder": "alice",
    "q": "q",
    "after": "1",
    "since": "2026-01-02T03:04:05Z",
    "person": "alice",
    "kind": "taken",
    "until": "2026-01-02T03:04:05Z",
    "by": "day",
    "format": "text",
    "limit": "5",
    "request_id": "r-1",
    "user": "alice",
    "branch": "master",
    "creation": "c-1",
    "retry": "c-1",
    "dismiss": "c-1",
    "min_vacant": "1",
    "max_total": "2",
    "max_creating": "1",
    "cooldown": "5m",
    "hours": "always",
    "wait": "1s",
    "priority": "high",
    "skip_if_none": "true",
    "hold_on_failure": "1h",
    "result": "fail",
    "hold": "1h",
    "with": "carol",
    "health": "suspect",
    "check": "none",
    "every": "10m",
    "clean": "none",
    "after_expiry": "vacant",
}
ANY_TEXT = {form.compared, form.triggered_by, form.email, form.job, form.plain, form.person, form.people}
ANY_LENGTH = {form.compared, form.triggered_by, form.email}
BY_GET = [e for e in ENDPOINTS if e.parameters and "GET" in e.methods]
EACH = [
    pytest.param(endpoint, parameter, id=f"{endpoint.name}-{parameter.name}")
    for endpoint in BY_GET
    for parameter in endpoint.parameters
]
EACH_OF_A_VERB = [
    pytest.param(endpoint, parameter, id=f"{endpoint.name}-{parameter.name}")
    for endpoint in VERBS
    for parameter in endpoint.parameters
]


def good_value(endpoint: Endpoint[Any], parameter: Parameter) -> str:
    """Return a value that the parameter takes: a few names mean something else at one endpoint."""
    if parameter.read is form.creation_state:
        return "running"
    if parameter.read is form.hold_end:
        return "17:30"
    return "1-0" if endpoint is HISTORY and parameter.name == "after" else GOOD[parameter.name]


@pytest.fixture(scope="module")
def app(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Flask]:
    """One application for a thousand tests, over SQLite: refused requests never reach a store."""
    folder = tmp_path_factory.mktemp("garbage")
    (folder / "users").write_text(ADMIN)
    store = SQLiteStore(str(folder / "pool.db"), "clusters")
    app = create_app(Settings(admin_dir=str(folder), store="sqlite:unused.db"), store)
    lifecycle = components_of(app).lifecycle
    lifecycle.start()
    yield app
    lifecycle.stop()


@pytest.fixture(scope="module")
def one_cluster(app: Flask) -> Pool:
    """A pool with one cluster."""
    facts = {"cluster": "cluster-01", "region": "us-west", "name": ADMIN}
    assert app.test_client().post("/addcluster", data=facts).status_code == 200
    return components_of(app).clusters.view().pool


@pytest.fixture(autouse=True)
def pool(app: Flask, one_cluster: Pool) -> Iterator[None]:
    """Checks that each test leaves the pool unchanged."""
    yield
    clusters = components_of(app).clusters
    if clusters.view().pool.clusters != one_cluster.clusters or clusters.view().pool.queue:
        clusters.repository.update(lambda _pool, _now: (one_cluster, Answer("")))


def needed(endpoint: Endpoint[Any], but: Parameter | None = None) -> dict[str, str]:
    """Return valid values for the required parameters of the endpoint."""
    return {p.name: GOOD[p.name] for p in endpoint.parameters if p.required and p != but}


def check_named(answer: TestResponse, parameter: str, code: str = "bad_parameter") -> None:
    """Check that a refusal names the parameter, for programs and for people, and says what was expected."""
    problem = answer.get_json()
    assert (answer.status_code, problem["code"]) == (400, code), answer.text
    assert problem["parameter"] == parameter
    assert parameter in problem["detail"]
    assert ":" in problem["detail"]
    assert len(problem["detail"]) < 500
    assert problem["detail"].isprintable()


BLANK = ["", " ", "\t", "\r\n", "\u3000", "\x00", "\x7f", "\u2028", "\u200b", "\u3164"]
UNSEEN = ["a\x00b", "a\nb", "a\r\nX-Header: b", "\x1b[2J", "a\u202eb", "a\u200bb", "\ufeffa"]


def check_taken(answer: TestResponse) -> None:
    """Check that a value is accepted as well-formed, even if it matches nothing or is not possible."""
    lacks_another = answer.headers.get("CIMaster-Code") == "missing_parameter" or "is only allowed with" in answer.text
    assert answer.status_code != 400 or lacks_another, answer.text
    assert answer.status_code < 500 or answer.headers["CIMaster-Code"] == "no_provisioner", answer.text


@pytest.mark.parametrize(("endpoint", "parameter"), EACH)
def test_an_empty_value_counts_as_not_sent(client: FlaskClient, endpoint: Endpoint[Any], parameter: Parameter) -> None:
    for value in BLANK:
        sent = {**needed(endpoint, parameter), parameter.name: value}
        answer = client.get(endpoint.path, query_string=sent, headers=JSON)
        if parameter.required:
            check_named(answer, parameter.name)
            assert "is empty" in answer.get_json()["detail"]
        else:
            check_taken(answer)


@pytest.mark.parametrize(("endpoint", "parameter"), EACH)
def test_long_values_are_refused_unless_only_shown_or_compared(
    client: FlaskClient, endpoint: Endpoint[Any], parameter: Parameter
) -> None:
    for value in ("x" * 5000, "9" * 5000):
        sent = {**needed(endpoint, parameter), parameter.name: value}
        answer = client.get(endpoint.path, query_string=sent, headers=JSON)
        if parameter.read in ANY_LENGTH:
            check_taken(answer)
            assert len(answer.get_json().get("detail", "")) < 1000
        else:
            check_named(answer, parameter.name)


@pytest.mark.parametrize(("endpoint", "parameter"), EACH)
def test_invisible_characters_are_dropped_from_texts_or_refused(
    client: FlaskClient, endpoint: Endpoint[Any], parameter: Parameter
) -> None:
    for value in UNSEEN:
        sent = {**needed(endpoint, parameter), parameter.name: value}
        answer = client.get(endpoint.path, query_string=sent, headers=JSON)
        if parameter.read in ANY_TEXT - {form.person, form.people}:
            check_taken(answer)
        else:
            check_named(answer, parameter.name)


@pytest.mark.parametrize(("endpoint", "parameter"), EACH)
def test_look_alike_characters_are_refused(client: FlaskClient, endpoint: Endpoint[Any], parameter: Parameter) -> None:
    good = good_value(endpoint, parameter)
    fullwidth = "".join(chr(ord(char) + 0xFEE0) if "!" <= char <= "~" else char for char in good)
    for value in (fullwidth, good + "\u0430", "\u0441" + good[1:], "\u0663", good + "\u0301"):
        sent = {**needed(endpoint, parameter), parameter.name: value}
        answer = client.get(endpoint.path, query_string=sent, headers=JSON)
        if parameter.read is form.compared_label and "=" in value:
            check_taken(answer)
        elif parameter.read not in ANY_TEXT:
            check_named(answer, parameter.name)
        elif parameter.name == "cluster" and endpoint is not HISTORY:
            assert (answer.status_code, answer.get_json()["code"]) == (404, "unknown_cluster")
        else:
            check_taken(answer)


@pytest.mark.parametrize(("endpoint", "parameter"), EACH)
def test_white_space_around_a_value_is_trimmed(
    client: FlaskClient, endpoint: Endpoint[Any], parameter: Parameter
) -> None:
    good = good_value(endpoint, parameter)
    sent = {**needed(endpoint, parameter), parameter.name: f" \t{good}\r\n"}
    check_taken(client.get(endpoint.path, query_string=sent, headers=JSON))


@pytest.mark.parametrize(("endpoint", "parameter"), EACH)
def test_a_parameter_given_twice_is_refused_by_name(
    client: FlaskClient, endpoint: Endpoint[Any], parameter: Parameter
) -> None:
    if parameter.repeated:
        return
    good = quote(good_value(endpoint, parameter))
    for twice in (f"{parameter.name}={good}&{parameter.name}={good}", f"{parameter.name}=&{parameter.name}={good}"):
        answer = client.get(f"{endpoint.path}?{twice}", query_string=None, headers=JSON)
        if answer.get_json()["code"] == "missing_parameter":  # earlier in the table
            rest = "&".join(f"{key}={quote(value)}" for key, value in needed(endpoint, parameter).items())
            answer = client.get(f"{endpoint.path}?{twice}&{rest}", headers=JSON)
        check_named(answer, parameter.name)
        assert "2 times" in answer.get_json()["detail"]


@pytest.mark.parametrize(("endpoint", "parameter"), EACH)
def test_a_misspelt_parameter_is_refused_with_the_right_one(
    client: FlaskClient, endpoint: Endpoint[Any], parameter: Parameter
) -> None:
    for name in (parameter.name + "s", parameter.name.upper(), parameter.name[:-1] + "\u0430"):
        if endpoint.parameter(name):
            continue
        answer = client.get(endpoint.path, query_string={**needed(endpoint), name: "x"}, headers=JSON)
        assert answer.get_json()["code"] == "unknown_parameter"
        assert answer.get_json()["parameter"] == name


@pytest.mark.parametrize(("endpoint", "parameter"), EACH_OF_A_VERB)
def test_wrong_json_types_are_refused_by_name(
    client: FlaskClient, endpoint: Endpoint[Any], parameter: Parameter
) -> None:
    good = good_value(endpoint, parameter)
    lists = [] if parameter.repeated else [[], [good], [None], [good, good]]
    for value in (1.5, {}, {"a": 1}, [[good]], [{}], -0.5, *lists):
        sent = {**needed(endpoint, parameter), parameter.name: value}
        check_named(client.post(endpoint.path, json=sent, headers=JSON), parameter.name)


@pytest.mark.parametrize(("endpoint", "parameter"), EACH_OF_A_VERB)
def test_null_in_json_counts_as_not_sent(client: FlaskClient, endpoint: Endpoint[Any], parameter: Parameter) -> None:
    for value in (None, *([[], [None], [None, ""]] if parameter.repeated else [])):
        sent = {**needed(endpoint, parameter), parameter.name: value}
        answer = client.post(endpoint.path, json=sent, headers=JSON)
        if parameter.required:
            check_named(answer, parameter.name)
        else:
            check_taken(answer)


def test_a_list_for_a_single_parameter_is_refused(client: FlaskClient) -> None:
    answer = client.post("/getvacant", json={"job": ["e2e"], "build": 1}, headers=JSON)
    check_named(answer, "job")
    assert answer.get_json()["detail"] == "job is a list: expected one value"
    assert client.post("/getvacant", json={"job": "e2e", "build": 1}).text == "cluster-01"


@pytest.mark.parametrize(("endpoint", "parameter"), EACH)
def test_escapes_that_are_not_utf_8_are_refused_by_name(
    client: FlaskClient, endpoint: Endpoint[Any], parameter: Parameter
) -> None:
    rest = "&".join(f"{key}={quote(value)}" for key, value in needed(endpoint, parameter).items())
    for escapes in ("%ff", "a%c3", "%ed%a0%80", "%c0%80", "%f5%80%80%80"):
        query = f"{rest}&{parameter.name}={escapes}"
        check_named(client.get(f"{endpoint.path}?{query}", headers=JSON), parameter.name)
        if endpoint.changes:
            form = {"data": query, "content_type": "application/x-www-form-urlencoded"}
            check_named(client.post(endpoint.path, **form, headers=JSON), parameter.name)


@pytest.mark.parametrize("name", ["", " ", "\x00", "x" * 10_000, "\u202e", "a\nb", "__class__", "\U0001f600", "%"])
def test_odd_names_of_parameters_are_refused_as_unknown(client: FlaskClient, name: str) -> None:
    for endpoint in BY_GET:
        answer = client.get(endpoint.path, query_string={**needed(endpoint), name: "x"}, headers=JSON)
        assert (answer.status_code, answer.get_json()["code"]) == (400, "unknown_parameter")
        assert len(answer.text) < 2000
        assert answer.get_json()["detail"].isprintable()


def refused(answer: TestResponse) -> tuple[int, str]:
    """Return status and code of a refusal."""
    return answer.status_code, answer.headers["CIMaster-Code"]


BODIES = {
    "nothing that is JSON": b"{",
    "a trailing comma": b'{"job": "a",}',
    "a comment": b'{"job": "a" /* b */}',
    "not a number": b'{"build": NaN, "job": "a"}',
    "infinity": b'{"build": Infinity, "job": "a"}',
    "too large a number": b'{"build": ' + b"9" * 5000 + b', "job": "a"}',
    "an exponent": b'{"build": 1e999, "job": "a"}',
    "not UTF-8": b'{"job": "\xff", "build": 1}',
    "an array": b"[]",
    "an array of objects": b'[{"job": "a", "build": 1}]',
    "a text": b'"job=a&build=1"',
    "null": b"null",
    "deep": b"[" * 30_000,
    "deep and closed": b'{"build": ' + b"[" * 20_000 + b"]" * 20_000 + b"}",
    "two in one": b'{"job": "a", "build": 1}{"job": "a"}',
    "compressed": b"\x1f\x8b\x08\x00" + b"\x00" * 20,
}


@pytest.mark.parametrize("body", BODIES.values(), ids=BODIES.keys())
def test_a_body_that_is_not_a_json_object_is_refused(client: FlaskClient, body: bytes) -> None:
    for endpoint in VERBS:
        answer = client.post(endpoint.path, data=body, content_type="application/json", headers=JSON)
        assert answer.status_code == 400
        assert answer.get_json()["code"] in ("bad_body", "bad_parameter")
        assert len(answer.get_json()["detail"].splitlines()) == 1


@pytest.mark.parametrize(
    ("body", "beginning"),
    [
        (b'{"job": "\xff"}', "the body is not UTF-8 (byte 9): send a JSON object in UTF-8, such as {"),
        (BODIES["too large a number"], "the body has a number with too many digits: send"),
        (BODIES["deep"], "the body is nested too deeply: send"),
        (b'{"a"', "the body is not valid JSON (line 1, column 5): send"),
    ],
)
def test_a_body_that_is_not_json_is_refused_in_plain_words(client: FlaskClient, body: bytes, beginning: str) -> None:
    assert client.post("/getvacant", data=body, content_type="application/json").text.startswith(beginning)


def test_nested_bodies_of_any_depth_are_refused(client: FlaskClient) -> None:
    for depth in range(200, 1100):  # at some depth, the recursion limit is reached while reading or while answering
        body = '{"build": ' + "[" * depth + "]" * depth + ', "job": "a"}'
        assert client.post("/getvacant", data=body, content_type="application/json").status_code == 400


@pytest.mark.parametrize("kind", ["text/plain", "application/xml", "application/octet-stream", "", "json", "a/b; c=d"])
def test_a_body_of_another_type_is_refused_with_the_right_ones(client: FlaskClient, kind: str) -> None:
    answer = client.post("/getvacant?job=a&build=1", data=b"purpose=perf", content_type=kind)
    assert refused(answer) == (400, "bad_body")
    assert "send a form, or application/json" in answer.text


def test_a_file_is_refused_by_name(client: FlaskClient) -> None:
    answer = client.post("/getvacant", data={"job": "a", "build": (BytesIO(b"1"), "build.txt")})
    assert refused(answer) == (400, "bad_body")
    assert "build" in answer.text
    assert "parameters as text" in answer.text


def test_multipart_forms_without_files_are_accepted(client: FlaskClient) -> None:
    answer = client.post("/getvacant", data={"job": "a", "build": "1"}, content_type="multipart/form-data")
    assert answer.text == "cluster-01"


def test_multipart_that_is_cut_off_is_refused(client: FlaskClient) -> None:
    for body in (b"", b"--x", b"--x\r\nContent-Disposition: form-data; name=job\r\n\r\na", b"\xff" * 50):
        for kind in ("multipart/form-data", "multipart/form-data; boundary=x"):
            assert 400 <= client.post("/getvacant", data=body, content_type=kind).status_code < 500


@pytest.mark.parametrize("kind", ["application/json", "application/x-www-form-urlencoded", "text/plain"])
def test_a_megabyte_of_any_type_is_too_large(client: FlaskClient, kind: str) -> None:
    for endpoint in VERBS:
        body = json.dumps({**needed(endpoint), "reason": "x" * 1_000_000})
        assert refused(client.post(endpoint.path, data=body, content_type=kind)) == (413, "request_entity_too_large")


def test_a_part_of_a_megabyte_is_too_large(client: FlaskClient) -> None:
    assert refused(post_parts(client, [("job", "x" * 1_000_000)])) == (413, "request_entity_too_large")


def post_parts(client: FlaskClient, parts: list[tuple[str, str]]) -> TestResponse:
    """Post a multipart form."""
    lines = (f'--x\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{text}\r\n' for name, text in parts)
    body = "".join(lines) + "--x--\r\n"
    return client.post("/getvacant", data=body.encode(), content_type="multipart/form-data; boundary=x")


def test_hundreds_of_parts_are_too_many(client: FlaskClient) -> None:
    many = [(f"p{number}", "x") for number in range(200)]
    assert refused(post_parts(client, many)) == (413, "request_entity_too_large")
    assert refused(client.post("/getvacant", data=dict(many))) == (400, "unknown_parameter")
    assert post_parts(client, [("job", "a"), ("build", "1")]).text == "cluster-01"


def test_json_in_other_encodings_of_unicode_is_read(client: FlaskClient) -> None:
    body = json.dumps({"cluster": "cluster-01", "name": "alice", "desc": "größer"})
    for encoding in ("utf-8-sig", "utf-16", "utf-32"):
        answer = client.post("/holdcluster", data=body.encode(encoding), content_type="application/json")
        assert answer.status_code == 200


def test_whole_numbers_and_booleans_of_json_are_read_as_their_text(client: FlaskClient) -> None:
    assert client.post("/getvacant", json={"build": 124, "job": "a"}).text == "cluster-01"
    assert client.post("/finishtest", json={"cluster": "cluster-01", "build": 124.0}).status_code == 200
    sent = {"cluster": "cluster-01", "name": "root", "force": True, "reason": "x"}
    assert client.post("/deletecluster", json=sent).status_code == 200


def test_two_values_for_one_key_of_json_are_refused(client: FlaskClient) -> None:
    body = b'{"build": "1", "job": "a", "region": "us-west", "region": "mars"}'
    answer = client.post("/getvacant", data=body, content_type="application/json", headers=JSON)
    check_named(answer, "region")


def test_odd_paths_are_not_found(client: FlaskClient) -> None:
    for path in ("/getvacant/", "//getvacant", "/GETVACANT", "/clusters/", "/%00", "/%ff", "/..%2f..%2fetc", "/ui/%00"):
        answer = client.get(path)
        assert answer.status_code in (308, 404), path


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.sampled_from([e for e in ENDPOINTS if "<" not in e.path]),
    st.dictionaries(st.sampled_from(sorted(GOOD)) | st.text(max_size=8), st.text(max_size=30), max_size=5),
    st.sampled_from(["GET", "POST", "HEAD", "PUT"]),
)
def test_no_request_makes_the_service_fail(
    client: FlaskClient, endpoint: Endpoint[Any], sent: dict[str, str], method: str
) -> None:
    answer = client.open(endpoint.path, method=method, query_string={**needed(endpoint), **sent})
    assert answer.status_code < 500 or answer.headers["CIMaster-Code"] == "no_provisioner"


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.sampled_from(VERBS), st.binary(max_size=200), st.sampled_from(["application/json", "multipart/form-data"]))
def test_no_request_body_makes_the_service_fail(
    client: FlaskClient, endpoint: Endpoint[Any], body: bytes, kind: str
) -> None:
    answer = client.post(endpoint.path, data=body, content_type=kind)
    assert answer.status_code < 500
