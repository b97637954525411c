"""Usage summed from the history equals an independent recount, however the history is cut into slots."""

from collections import Counter
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cimaster.common.times import format_time
from cimaster.pool.records.history import GAP, Entry
from cimaster.pool.usage import stored_form
from cimaster.pool.usage.figures import Figures, stored_wait
from cimaster.pool.usage.fold import UsageFold
from cimaster.pool.usage.report import BREAKDOWNS, GroupFilter, Span, rows
from cimaster.pool.usage.sums import LONGEST_HOLDS, MOST_NAMES, OTHERS, Table
from tests import made_history
from tests.usage_recount import STATES, Recount, recount

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
EVENTS = ["taken", "finished", "held", "released", "hold ended", "handed over", "taken over", "held when free"]
EVENTS += [
    "hold extended",
    "renewed",
    "updated",
    "quarantined",
    "healthy",
    "disabled",
    "enabled",
    "deleted",
    "added",
    "imported",
]


def entry(minute: int, cluster: str, event: str, **facts: str) -> Entry:
    """Return a change, some minutes after noon."""
    at = format_time(NOON + timedelta(minutes=minute))
    return Entry({"commit": minute, "at": at, "cluster": cluster, "event": event, "purpose": "ci", **facts})


@st.composite
def histories(draw: st.DrawFn) -> list[Entry]:
    """Draw changes in any order, as a pool with several clusters and edits by hand may have them."""
    change = st.fixed_dictionaries(
        {
            "cluster": st.sampled_from("ab"),
            "event": st.sampled_from([*EVENTS, GAP]),
            "from": st.sampled_from([*STATES, ""]),
            "to": st.sampled_from([*STATES, "broken", ""]),
            "by": st.sampled_from(["alice", "bob", ""]),
            "job": st.sampled_from(["e2e", "scale", ""]),
            "newHolder": st.sampled_from(["carol", ""]),
            "result": st.sampled_from(["pass", "fail", "error", ""]),
            "waited": st.sampled_from(["5s", "61s", ""]),
            "purpose": st.sampled_from(["ci", "image", ""]),
            "region": st.sampled_from(["eu", ""]),
        }
    )
    minute, found = 0, []
    for fields in draw(st.lists(change, max_size=25)):
        minute += draw(st.integers(-2, 200))
        found.append(entry(max(minute, 0), **{key: value for key, value in fields.items() if value}))
    return found


def folded(entries: Sequence[Entry], cuts: Sequence[int] = ()) -> list[UsageFold]:
    """Sum up changes in several parts, each of which is stored and read again."""
    parts, fold = [], UsageFold()
    for begin, end in pairwise([0, *cuts, len(entries)]):
        fold = fold.carried()
        for each in entries[begin:end]:
            fold.add(each)
        fold = stored_form.parse(stored_form.text_of(fold))
        parts.append(fold)
    return parts


def flat(tables: Sequence[Table]) -> Counter[tuple[int, tuple[str, str], str, str]]:
    """Return the figures of several tables as a recount has them."""
    counted: Counter[tuple[int, tuple[str, str], str, str]] = Counter()
    for key, figures in (item for table in tables for item in table.items()):
        for kind, amount in kinds(figures):
            counted[key.period, (key.group.purpose, key.group.region), key.name, kind] += amount
    return +counted


def kinds(figures: Figures) -> Iterator[tuple[str, int]]:
    yield from figures.seconds.items()
    yield from {"takes": figures.takes, "failures": figures.failures, "quarantines": figures.quarantines}.items()
    yield from ((f"waited {wait}", count) for wait, count in figures.waits.items())


def check_equal(parts: Sequence[UsageFold], expected: Recount) -> None:
    sums = [part.sums for part in parts]
    assert flat([each.hours for each in sums]) == expected.hours
    assert flat([each.clusters for each in sums]) == expected.clusters
    assert flat([each.jobs for each in sums]) == expected.jobs
    assert flat([each.people for each in sums]) == expected.people
    assert Counter((h.seconds, h.end, h.holder, h.cluster) for each in sums for h in each.holds) == expected.holds


@given(histories(), st.lists(st.integers(0, 25), max_size=3))
def test_sums_equal_a_recount_minute_by_minute(entries: list[Entry], cuts: list[int]) -> None:
    parts = folded(entries, sorted(min(cut, len(entries)) for cut in cuts))
    check_equal(parts, recount(entries))
    assert sum(part.counted for part in parts) == len(entries)


def test_sums_of_days_of_jobs_and_holds_equal_a_recount() -> None:
    entries = [to_the_minute(each) for each in made_history.entries(days=6, clusters=12)]
    assert len(entries) > 1500
    check_equal(folded(entries, [len(entries) // 3, len(entries) // 2]), recount(entries))


def to_the_minute(change: Entry) -> Entry:
    """Return a change at the beginning of its minute, with a wait that is stored exactly."""
    fields = {**change.fields, "at": change.fields["at"][:-3] + "00Z"}
    if "waited" in fields:
        fields["waited"] = f"{stored_wait(int(fields['waited'][:-1]))}s"
    return Entry(fields)


@pytest.mark.parametrize("text", ["", "{", "[]", "null", "1", '{"version": 1}', '{"version": 2}', '{"version": "1"}'])
def test_text_that_is_no_usage_is_refused(text: str) -> None:
    with pytest.raises(stored_form.Unreadable):
        stored_form.parse(text)


@given(st.data())
def test_damaged_usage_is_refused_or_read_but_never_fails(data: st.DataObject) -> None:
    fold = folded([*made_history.entries(days=0.3, clusters=2)])[0]
    text = stored_form.text_of(fold)
    at, bad = (
        data.draw(st.integers(0, len(text) - 1)),
        data.draw(st.sampled_from(["", "[", "-", '"', "9", "null", "]"])),
    )
    try:
        read = stored_form.parse(text[:at] + bad + text[at + 1 :])
    except stored_form.Unreadable:
        return
    stored_form.text_of(read)


def test_only_the_busiest_names_of_a_day_are_kept_apart() -> None:
    fold = UsageFold()
    for number in range(MOST_NAMES + 50):
        lasts = 1 + number // 5
        fold.add(entry(0, f"c{number}", "taken", job=f"job-{number:03}", to="occupied", **{"from": "vacant"}))
        fold.add(entry(lasts, f"c{number}", "finished", to="vacant", **{"from": "occupied"}))
    kept = stored_form.parse(stored_form.text_of(fold)).sums.jobs
    names = {key.name for key in kept}
    assert len(names) == MOST_NAMES + 1
    assert {OTHERS, "job-249", "job-100"} <= names
    assert "job-001" not in names
    assert sum(f.takes for f in kept.values()) == MOST_NAMES + 50
    assert sum(f.total for f in kept.values()) == sum(f.total for f in fold.sums.jobs.values())


def test_the_longest_holds_of_each_day_are_kept() -> None:
    fold = UsageFold()
    for number in range(LONGEST_HOLDS + 10):
        fold.add(entry(0, f"c{number}", "held", by="alice", to="held", **{"from": "vacant"}))
        fold.add(entry(1 + number, f"c{number}", "released", by="alice", to="vacant", **{"from": "held"}))
    kept = stored_form.parse(stored_form.text_of(fold)).sums.holds
    assert [hold.seconds for hold in kept] == [60 * n for n in range(LONGEST_HOLDS + 10, 10, -1)]


def test_waits_give_percentiles_and_the_share_within_a_minute() -> None:
    figures = Figures()
    for waited in [0] * 50 + [30] * 30 + [60] * 10 + [61] * 6 + [1234] * 4:
        figures.add_take(waited)
    assert (figures.wait(0.5), figures.wait(0.51), figures.wait(0.8), figures.wait(0.95)) == (0, 30, 30, 61)
    assert figures.wait(1.0) == stored_wait(1234) == 1200
    assert figures.within_a_minute == 0.9
    assert Figures().wait(0.5) is None


def test_a_span_has_whole_units_and_ends_now() -> None:
    now, day = NOON + timedelta(minutes=20), 86_400
    week = Span.between(None, None, now, day)
    assert (week.since, week.until) == (NOON.replace(hour=0) - timedelta(days=6), now)
    hours = Span.between(NOON - timedelta(minutes=90), NOON - timedelta(minutes=1), now, 3600)
    assert (hours.since, hours.until) == (NOON - timedelta(hours=2), NOON)
    assert Span.between(now + timedelta(days=9), None, now, day).hours > 0


@pytest.mark.parametrize("by", BREAKDOWNS)
def test_all_breakdowns_agree_on_what_was_in_use(by: str) -> None:
    entries = [*made_history.entries(days=3, clusters=8)]
    parts = [fold.sums for fold in folded(entries, [300])]
    span = Span.between(made_history.BEGIN, None, made_history.BEGIN + timedelta(days=9), 86_400)
    found = rows(parts, by, span, GroupFilter())
    in_use = sum(row.figures.in_use for row in found)
    expected = sum(figures.in_use for sums in parts for figures in sums.hours.values())
    occupied = sum(figures.seconds.get("occupied", 0) for sums in parts for figures in sums.hours.values())
    assert in_use == (occupied if by == "job" else expected)
    chosen = rows(parts, by, span, GroupFilter("tnet-ci", "us-west"))
    assert 0 < sum(row.figures.in_use for row in chosen) < in_use
