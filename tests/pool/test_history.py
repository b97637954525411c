"""History is limited: the newest entries of each cluster, within the bytes that are available."""

import json
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cimaster.pool.records.history import MAX_PER_CLUSTER, MIN_PER_CLUSTER, Entry, History, parse, trimmed
from cimaster.pool.records.record_lists import encode

NOW = datetime(2026, 1, 2, 12, 0, tzinfo=UTC)
ENOUGH = 10**6


def entries(*names: str) -> History:
    """Return one entry for each name, oldest first."""
    return tuple(Entry.of("taken", name, NOW, number) for number, name in enumerate(names))


@given(st.lists(st.sampled_from("abc"), max_size=120), st.integers(0, 9000), st.integers(1, 400))
def test_the_newest_entries_that_fit_are_kept_fairly(names: list[str], budget: int, clusters: int) -> None:
    history = entries(*names)
    kept = trimmed(history, budget, clusters)
    assert sum(entry.size for entry in kept) <= budget
    assert len(encode(kept)) <= budget + 4
    for name in "abc":
        of_one, kept_of_one = ([entry for entry in one if entry.cluster == name] for one in (history, kept))
        assert len(kept_of_one) <= MAX_PER_CLUSTER
        assert kept_of_one == (of_one[-len(kept_of_one) :] if kept_of_one else [])


@pytest.mark.parametrize(("clusters", "most"), [(1, 20), (10, 20), (1000, MIN_PER_CLUSTER)])
def test_large_pools_keep_fewer_entries_per_cluster(clusters: int, most: int) -> None:
    assert len(trimmed(entries(*"a" * 50), ENOUGH, clusters)) == most


def test_a_busy_cluster_does_not_displace_the_history_of_others() -> None:
    kept = trimmed(entries("quiet", *["busy"] * 500), ENOUGH, 2)
    assert {entry.cluster for entry in kept} == {"quiet", "busy"}


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


@pytest.mark.parametrize("odd", ["1", "null", '"a"', "[[]]", "[" * 2000 + "]" * 2000])
def test_an_entry_that_is_not_an_object_is_kept_as_broken(odd: str) -> None:
    text = f'[\n{{"cluster":"a","event":"taken"}},\n{odd}\n]'
    taken, broken = parse(text)
    assert encode((taken, broken)) == text
    assert (taken.event, broken.event, broken.cluster) == ("taken", "broken", "")
    assert json.loads(broken.described())["record"] == odd
    assert trimmed((taken, broken), ENOUGH, 1) == (taken, broken)
