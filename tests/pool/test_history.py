"""The unarchived history: how it is stored, numbered, and limited if it cannot be archived."""

import json
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cimaster.pool.records import history_form
from cimaster.pool.records.history import GAP, Entry, History, numbered, parse, trimmed
from cimaster.pool.records.record_lists import encode

NOW = datetime(2026, 1, 2, 12, 0, tzinfo=UTC)
ENOUGH = 10**6
STATES = ["vacant", "occupied", "held"]


def entries(*names: str) -> History:
    """Return one entry for each name, oldest first."""
    return tuple(Entry.of("taken", name, NOW, number) for number, name in enumerate(names, 1))


@given(st.lists(st.sampled_from("abc"), max_size=120), st.integers(0, 9000))
def test_the_oldest_changes_that_do_not_fit_leave_a_gap_that_counts_them(names: list[str], budget: int) -> None:
    history = entries(*names)
    kept, lost = trimmed(history, budget)
    assert sum(entry.size for entry in kept) <= budget
    assert lost == len(history) - len([entry for entry in kept if entry.event != GAP])
    if kept and lost:
        assert (kept[0].event, kept[0].fields["missing"]) == (GAP, lost)
        assert kept[1:] == history[lost:]


def test_a_gap_that_grows_counts_all_missing_changes_once() -> None:
    history = entries(*"a" * 100)
    once, lost = trimmed(history, 5000)
    twice, more = trimmed(once, 2500)
    assert twice[0].fields["missing"] == lost + more == 100 - len(twice[1:])
    assert twice[0].fields["commit"] == twice[1].fields["commit"] - 1


@given(st.lists(st.integers(0, 30) | st.none(), max_size=20), st.integers(1, 20))
def test_numbers_ascend_and_are_never_newer_than_the_pool(commits: list[int | None], newest: int) -> None:
    history = tuple(Entry({"commit": commit} if commit is not None else {}) for commit in commits)
    pairs = numbered(history, newest)
    assert tuple(entry for _, entry in pairs) == history
    found = [number for number, _ in pairs]
    assert found == sorted(found)
    assert all(0 < number <= newest for number in found)


CHANGES = st.fixed_dictionaries(
    {"from": st.sampled_from(STATES), "to": st.sampled_from(STATES), "by": st.sampled_from(["", "ci-bot"])},
    optional={
        "job": st.just("e2e"),
        "build": st.sampled_from(["7", "1834567890123456789", "~7"]),
        "result": st.sampled_from(["pass", "fail", "odd"]),
        "reason": st.just("a reason"),
    },
)


@given(st.sampled_from(["taken", "finished", "held", "drilled"]), CHANGES)
def test_a_change_reads_back_with_its_members_in_order(event: str, facts: dict[str, str]) -> None:
    entry = Entry.of(event, "cluster-01", NOW, 7, **facts)
    (again,) = parse(encode([entry]))
    assert again.fields == entry.fields
    assert again.text == entry.text
    if list(facts) == [name for name in history_form.ORDER if name in facts]:
        assert list(again.fields) == list(entry.fields)


@pytest.mark.parametrize("event", [("taken", "vacant", "occupied"), ("finished", "occupied", "vacant")])
def test_a_usual_change_is_stored_in_85_bytes(event: tuple[str, str, str]) -> None:
    facts = {"by": "ci-bot", "job": "e2e-conformance-1.32", "build": "1834567890123456789", "result": "pass"}
    name, before, after = event
    entry = Entry.of(name, "cluster-01", NOW, 123_456, **{"from": before, "to": after}, **facts)
    assert entry.size < 85


def test_changes_of_earlier_versions_are_read_and_keep_their_bytes() -> None:
    first = '[3,"2026-01-02T12:00:00Z","c1","taken","vacant","occupied","ci-bot","e2e","7"]'
    text = f'[\n{first},\n[4,"2026-01-02T12:00:00Z","c1","held","","","","","",{{"a":1}}]\n]'
    taken, held = parse(text)
    assert (taken.event, taken.job, taken.get_text("to"), held.fields["a"]) == ("taken", "e2e", "occupied", 1)
    assert encode((taken, held)) == text


@given(st.lists(st.sampled_from("abc"), max_size=20))
def test_history_reads_back_as_it_was_written(names: list[str]) -> None:
    history = entries(*names)
    again = parse(encode(history))
    assert [entry.fields for entry in again] == [entry.fields for entry in history]
    assert encode(again) == encode(history)


def test_unknown_entries_keep_their_bytes() -> None:
    text = '[\n{"cluster": "a", "event":"drilled",  "depth": 1.10},\n{"odd": true}\n]'
    assert encode(parse(text)) == text


@pytest.mark.parametrize("text", ["", "{}", "1", "[{}", "nonsense"])
def test_history_that_is_not_an_array_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"\w"):
        parse(text)


@pytest.mark.parametrize("text", ['[{"at": 5}]', '[{"cluster": null}]', '[{"at": "yesterday", "event": []}]', "[{}]"])
def test_invalid_entries_raise_nothing(text: str) -> None:
    (entry,) = parse(text)
    assert entry.at is None
    assert isinstance(entry.cluster, str)
    assert isinstance(entry.event, str)


@pytest.mark.parametrize(
    "odd",
    ["1", "null", '"a"', "[[]]", '[1,"","","","","",""]', '[1,"BpWE3X","c1","z","","",""]', "[" * 2000 + "]" * 2000],
)
def test_an_entry_that_is_not_an_object_is_kept_as_broken(odd: str) -> None:
    text = f'[\n{{"cluster":"a","event":"taken"}},\n{odd}\n]'
    taken, broken = parse(text)
    assert encode((taken, broken)) == text
    assert (taken.event, broken.event, broken.cluster) == ("taken", "broken", "")
    assert json.loads(broken.described())["record"] == odd
    assert trimmed((taken, broken), ENOUGH) == ((taken, broken), 0)


@pytest.mark.parametrize("odd", [["x"], {"x": 1}, 5, None])
def test_an_entry_with_an_odd_result_can_be_edited(odd: object) -> None:
    at = "2026-01-02T12:00:05Z"
    text = json.dumps([[5, at, "c1", "taken", "vacant", "occupied", "alice", "e2e", "7", {"result": odd}]])
    (entry,) = parse(text)
    (again,) = parse(f"[{entry.edited({'by': 'bob'}).text}]")
    assert again.fields == {**entry.fields, "by": "bob"}
