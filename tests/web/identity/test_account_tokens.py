"""What can be refused without the API server, and how its answers are read: anything may come, nothing raises."""

import json
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cimaster.web.identity.account_tokens import expiry
from cimaster.web.identity.token_reviews import Account, account_of
from tests.web.identity.made_tokens import encoded, token, with_claims

NAME = "system:serviceaccount:ci:e2e"
CLAIMS: dict[str, Any] = {"aud": ["cimaster"], "exp": 1_800_000_000, "sub": NAME}
USER: dict[str, Any] = {"username": NAME, "groups": ["system:authenticated"]}
STATUS: dict[str, Any] = {"authenticated": True, "audiences": ["cimaster"], "user": USER}
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
)


@pytest.mark.parametrize("audience", ["cimaster", ["cimaster"], ["https://kubernetes.default.svc", "cimaster"]])
def test_the_end_of_a_possible_token_is_read(audience: object) -> None:
    assert expiry(with_claims({**CLAIMS, "aud": audience})) == datetime(2027, 1, 15, 8, tzinfo=UTC)


@pytest.mark.parametrize(
    "changed",
    [
        {"aud": "kubernetes"},
        {"aud": []},
        {"aud": None},
        {"aud": {"cimaster": 1}},
        {"aud": 7},
        {"exp": None},
        {"exp": "1800000000"},
        {"exp": True},
        {"exp": -1},
        {"exp": 10**400},
        {"exp": float("nan")},
        {"exp": float("inf")},
        {"sub": "alice"},
        {"sub": ["system:serviceaccount:ci:e2e"]},
        {"sub": None},
    ],
)
def test_claims_that_are_not_an_accounts_are_refused(changed: dict[str, Any]) -> None:
    assert expiry(with_claims({**CLAIMS, **changed})) is None


NO_TOKENS = (
    "",
    "opaque-token",
    "a.b",
    "a.b.c",
    f"{token()}.x",
    f"{token()}=",
    f" {token()}",
    f"{token()}\n",
    token().replace(".", ":"),
    f"x.{encoded(b'[' * 100_000)}.x",
    f"x.{encoded(b'[' * 10_000)}.x",
    f"x.{encoded(b'[]')}.x",
    f"x.{encoded(bytes([0xFF]))}.x",
    f"x.{encoded(b'9' * 5000)}.x",
    token(padding="x" * 17_000),
    "\ud800.\ud800.\ud800",
)


@pytest.mark.parametrize("number", range(len(NO_TOKENS)))
def test_what_has_no_claims_is_refused(number: int) -> None:
    assert expiry(NO_TOKENS[number]) is None


@given(JSON)
def test_any_claims_can_be_read(claims: object) -> None:
    assert expiry(with_claims(claims)) is None


@given(st.text())
def test_any_text_can_be_read_as_a_token(text: str) -> None:
    assert expiry(text) is None


def test_an_answer_names_the_account_and_its_groups() -> None:
    assert account_of({"status": STATUS}) == Account(NAME, frozenset({"system:authenticated"}))
    without = {**STATUS, "user": {"username": NAME}}
    assert account_of({"status": without}) == Account(NAME, frozenset())


@pytest.mark.parametrize(
    "changed",
    [
        {"authenticated": False},
        {"authenticated": None},
        {"authenticated": "true"},
        {"authenticated": 1},
        {"audiences": None},
        {"audiences": []},
        {"audiences": "cimaster"},
        {"audiences": ["kubernetes"]},
        {"user": None},
        {"user": {**USER, "username": "admin"}},
        {"user": {**USER, "username": "system:node:one"}},
        {"user": {**USER, "username": "system:serviceaccount:ci:e2e\n"}},
        {"user": {**USER, "username": "system:serviceaccount:ci:e2e:x"}},
        {"user": {**USER, "username": "system:serviceaccount::"}},
        {"user": {**USER, "username": None}},
        {"user": {**USER, "groups": "system:masters"}},
        {"user": {**USER, "groups": ["a", 1]}},
        {"user": {**USER, "groups": None}},
    ],
)
def test_an_answer_of_another_kind_is_a_refusal(changed: dict[str, Any]) -> None:
    assert account_of({"status": {**STATUS, **changed}}) is None


@given(
    JSON, st.sampled_from([(), ("status",), ("status", "user"), ("status", "audiences"), ("status", "user", "groups")])
)
def test_any_answer_can_be_read(value: object, place: tuple[str, ...]) -> None:
    answer: Any = json.loads(json.dumps({"status": STATUS}))
    if place:
        inner = answer
        for key in place[:-1]:
            inner = inner[key]
        inner[place[-1]] = value
    else:
        answer = value
    account = account_of(answer)
    assert account is None or account.name == NAME
