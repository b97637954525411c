"""The forms of parameters: what each reads, and that a refusal says what was expected."""

import re
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cimaster import parameters as form
from cimaster.endpoints import ENDPOINTS
from cimaster.pool.cluster import STATES

FORMS = sorted({p.read for endpoint in ENDPOINTS for p in endpoint.parameters}, key=lambda read: read.__name__)
EVERY_FORM = pytest.mark.parametrize("read", FORMS, ids=lambda read: read.__name__)


@pytest.mark.parametrize(
    ("read", "text", "value"),
    [
        (form.new_cluster, "cluster-05", "cluster-05"),
        (form.cluster, "Any_Old name", "Any_Old name"),
        (form.person, "Alice.B-c_d@e", "Alice.B-c_d@e"),
        (form.email, "ci-bot@example.com", "ci-bot"),
        (form.word, "us-west", "us-west"),
        (form.word, "registry/image:1.2+3", "registry/image:1.2+3"),
        (form.job, "pull e2e / GPU (all)", "pull e2e / GPU (all)"),
        (form.job, "1" * 253, "1" * 253),
        (form.request_id, "!~", "!~"),
        (form.lease, "a-B-0", "a-B-0"),
        (form.plain, "größer ☕ <b>", "größer ☕ <b>"),
        (form.plain, "x" * 500, "x" * 500),
        (form.duration, "90s", timedelta(seconds=90)),
        (form.lease_time, "1m", timedelta(minutes=1)),
        (form.lease_time, "7d", timedelta(days=7)),
        (form.label, "example.com/gpu=yes", ("example.com/gpu", "yes")),
        (form.label, "spare=", ("spare", "")),
        (form.flag, "true", True),
        (form.flag, "false", False),
        (form.state, "vacant", "vacant"),
        (form.moment, "2026-01-02T03:04:05Z", datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)),
        (form.commit, "0", 0),
        (form.commit, "9" * 18, 10**18 - 1),
        (form.limit, "1", 1),
        (form.limit, "1000", 1000),
    ],
)
def test_a_good_value_is_read(read, text: str, value: object) -> None:
    assert read(text) == value


@pytest.mark.parametrize(
    ("read", "text"),
    [
        (form.new_cluster, "a..b"),
        (form.new_cluster, "a.-b"),
        (form.new_cluster, "x" * 64),
        (form.cluster, "x" * 254),
        (form.person, "-alice"),
        (form.person, "alice smith"),
        (form.person, "x" * 64),
        (form.email, "ci-bot"),
        (form.email, "@example.com"),
        (form.email, "ci-bot@"),
        (form.email, "a@b@c"),
        (form.word, "us west"),
        (form.word, "x" * 101),
        (form.job, "größe"),
        (form.job, " a"),
        (form.job, "a "),
        (form.job, "1" * 254),
        (form.request_id, "a b"),
        (form.request_id, "x" * 129),
        (form.lease, "a_b"),
        (form.lease, "x" * 65),
        (form.plain, "x" * 501),
        (form.plain, "a\tb"),
        (form.plain, "a\x85b"),
        (form.plain, "a\u202eb"),
        (form.plain, "a\ufffdb"),
        (form.plain, "\u3000"),
        (form.duration, "6"),
        (form.lease_time, "59s"),
        (form.lease_time, "169h"),
        (form.label, "gpu"),
        (form.flag, "True"),
        (form.flag, "1"),
        (form.state, "Vacant"),
        (form.moment, "2026-01-02"),
        (form.commit, "-1"),
        (form.commit, "\u0661"),
        (form.commit, "1" * 19),
        (form.limit, "0"),
        (form.limit, "1001"),
        (form.limit, "0" * 9 + "99999"),
        (form.limit, "\u00b2"),
    ],
)
def test_a_bad_value_is_refused(read, text: str) -> None:
    with pytest.raises(ValueError, match=r"\w"):
        read(text)


def test_a_duration_longer_than_anybody_holds_anything_can_be_added_to_a_date() -> None:
    assert datetime.now(UTC) + form.duration("999999999d") > datetime(2100, 1, 1, tzinfo=UTC)


@EVERY_FORM
@given(text=st.text())
def test_a_form_reads_a_text_or_says_what_it_expected(read, text: str) -> None:
    try:
        read(text)
    except ValueError as error:
        expected = str(error)
        assert expected
        assert len(expected) < 200
        assert not re.search(r"[A-Z][a-z]+Error|invalid literal|codec", expected)


@EVERY_FORM
@given(text=st.text(min_size=1))
def test_no_form_lets_unseen_characters_in(read, text: str) -> None:
    for unseen in "\x00\n\r\x1b\x7f\u202e\ud800":
        with pytest.raises(ValueError, match=r"\w"):
            read(text + unseen)


def test_every_state_can_be_asked_for() -> None:
    assert [form.state(state) for state in STATES] == list(STATES)
