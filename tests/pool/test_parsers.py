"""Parsers of parameters: what each accepts, and that each refusal says what was expected."""

import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from cimaster.pool import parsers as form
from cimaster.pool.records.cluster import STATES
from cimaster.web.endpoints import ENDPOINTS

FORMS = {p.read: p.name for endpoint in ENDPOINTS for p in endpoint.parameters}
UNSEEN = "\u200b\u200d\u2060\u00ad\u3164\u115f\uffa0\u2800\ufe0f\u034f\ufeff\u202e\U000e0101\x00\x1b\x7f\ud800\ue000"
EVERY_FORM = pytest.mark.parametrize("read", FORMS, ids=FORMS.values())


@pytest.mark.parametrize(
    ("read", "text", "value"),
    [
        (form.new_cluster, "cluster-05", "cluster-05"),
        (form.compared, " Any_Old \n name", "Any_Old name"),
        (form.compared, "x" * 10_000, "x" * 10_000),
        (form.person, "Alice.B-c_d@e", "Alice.B-c_d@e"),
        (form.person, "-x", "-x"),
        (form.person, "  Jane \u3000 Doe\n", "Jane Doe"),
        (form.person, "Jose\u0301 O'Brien", "José O'Brien"),
        (form.person, "ü" * 63, "ü" * 63),
        (form.email, "ci-bot@example.com", "ci-bot"),
        (form.email, "12345678+octodev@users.noreply.github.com", "octodev"),
        (form.email, "49699333+dependabot[bot]@Users.NoReply.GitHub.com", "dependabot[bot]"),
        (form.email, "octodev@users.noreply.github.com", "octodev"),
        (form.email, "1+dev@users.noreply.github.example.com", "dev"),
        (form.email, "1+ @users.noreply.github.com", "1+"),
        (form.email, "jane+ci@example.com", "jane+ci"),
        (form.email, "o'brien@example.com", "o'brien"),
        (form.email, "_svc@example.com", "_svc"),
        (form.email, "José@example.com", "José"),
        (form.email, "Jane Doe <jane@example.com>", "jane"),
        (form.email, '"Doe, Jane" <7+jane@users.noreply.github.com> (CI)', "jane"),
        (form.email, "ci-bot", "ci-bot"),
        (form.email, "@example.com", "@example.com"),
        (form.email, "<>", "<>"),
        (form.email, "x" * 300 + "@example.com", "x" * 254),
        (form.triggered_by, " Jane\r\nDoe \u202e\x00", "Jane Doe"),
        (form.triggered_by, "x" * 300, "x" * 254),
        (form.triggered_by, "x" * 253 + " y", "x" * 253),
        (form.word, "us-west", "us-west"),
        (form.word, "registry/image:1.2+3", "registry/image:1.2+3"),
        (form.job, "pull e2e / GPU (all)", "pull e2e / GPU (all)"),
        (form.job, "Größe e2e", "Größe e2e"),
        (form.job, "\u2699\ufe0f build\n", "\u2699 build"),
        (form.job, "1" * 253, "1" * 253),
        (form.request_id, "!~", "!~"),
        (form.plain, "größer ☕ <b>", "größer ☕ <b>"),
        (form.plain, "x" * 500 + "\n", "x" * 500),
        (form.plain, "two\r\nlines\tand \x1b[2J\u202e\u2066more", "two lines and [2Jmore"),
        (form.duration, "90s", timedelta(seconds=90)),
        (form.duration, "1h30m", timedelta(minutes=90)),
        (form.lease_time, "1m", timedelta(minutes=1)),
        (form.lease_time, "7d", timedelta(days=7)),
        (form.label, "example.com/gpu=yes", ("example.com/gpu", "yes")),
        (form.label, "spare=", ("spare", "")),
        (form.compared_label, "team/area=x/y = z", ("team/area", "x/y = z")),
        (form.flag, "true", True),
        (form.flag, "false", False),
        (form.state, "vacant", "vacant"),
        (form.moment, "2026-01-02T03:04:05Z", datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)),
        (form.moment, "2026-01-02T05:04:05+02:00", datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)),
        (form.moment, "2026-01-02T05:04:05 02:00", datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)),
        (form.moment, "2026-01-02T05:04 0200", datetime(2026, 1, 2, 3, 4, tzinfo=UTC)),
        (form.moment, "2026-01-02", datetime(2026, 1, 2, tzinfo=UTC)),
        (form.moment, "2h", timedelta(hours=2)),
        (form.moment, "1w2d", timedelta(days=9)),
        (form.commit, "0", 0),
        (form.commit, "9" * 18, 10**18 - 1),
        (form.limit, "1", 1),
        (form.limit, "1000", 1000),
    ],
)
def test_a_good_value_is_read(read: Callable[..., Any], text: str, value: object) -> None:
    assert read(text) == value


@pytest.mark.parametrize(
    ("read", "text"),
    [
        (form.new_cluster, "a..b"),
        (form.new_cluster, "a.-b"),
        (form.new_cluster, "x" * 64),
        (form.person, ""),
        (form.person, "x" * 64),
        (form.person, "a\tb"),
        (form.person, "a\nb"),
        *((form.person, f"al{unseen}ice") for unseen in UNSEEN),
        (form.person, "a" + "\u0301" * 6),
        (form.person, "Jos\ufffd"),
        (form.word, "us west"),
        (form.word, "x" * 101),
        (form.job, "1" * 254),
        (form.request_id, "a b"),
        (form.request_id, "x" * 129),
        (form.plain, "x" * 501),
        (form.duration, "6"),
        (form.lease_time, "59s"),
        (form.lease_time, "169h"),
        (form.label, "gpu"),
        (form.compared_label, "gpu"),
        (form.flag, "True"),
        (form.flag, "1"),
        (form.state, "Vacant"),
        (form.moment, "2026-13-02"),
        (form.moment, "yesterday"),
        (form.moment, "2026-01-02T03:04:05"),
        (form.moment, "20260102"),
        (form.moment, "2026-W01"),
        (form.moment, "7"),
        (form.moment, "0001-01-01T00:00:00+23:59"),
        (form.duration, "999999999w"),
        (form.commit, "-1"),
        (form.commit, "\u0661"),
        (form.commit, "1" * 19),
        (form.limit, "0"),
        (form.limit, "10001"),
        (form.limit, "0" * 9 + "99999"),
        (form.limit, "\u00b2"),
    ],
)
def test_a_bad_value_is_refused(read: Callable[..., Any], text: str) -> None:
    with pytest.raises(ValueError, match=r"\w"):
        read(text)


def test_an_extremely_long_duration_can_be_added_to_a_date() -> None:
    assert datetime.now(UTC) + form.duration("999999999d") > datetime(2100, 1, 1, tzinfo=UTC)


@EVERY_FORM
@given(text=st.text())
@example(text="+a@" * 20_000)
@example(text="+" * 60_000 + "@")
@example(text="<" + "@" * 60_000)
@example(text="2026-01-01T" + "T " * 30_000)
def test_a_parser_reads_a_text_or_says_what_it_expected(read: Callable[..., Any], text: str) -> None:
    try:
        read(text)
    except ValueError as error:
        expected = str(error)
        assert expected
        assert len(expected) < 200
        assert not re.search(r"[A-Z][a-z]+Error|invalid literal|codec", expected)


@EVERY_FORM
@given(text=st.text(min_size=1))
def test_no_parser_accepts_invisible_characters(read: Callable[..., Any], text: str) -> None:
    for unseen in "\x00\n\r\x1b\x7f\u202e\ud800\u3164":
        try:
            value = read(text + unseen + text)
        except ValueError:
            continue
        for said in value if isinstance(value, tuple) else [value]:
            assert unseen not in str(said)


def test_every_state_is_a_valid_filter() -> None:
    assert [form.state(state) for state in STATES] == list(STATES)
