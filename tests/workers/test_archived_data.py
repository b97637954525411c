"""Whatever the stored history contains, it is archived once and in order, and the rest of the object stays as it is."""

import json
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings

from cimaster.pool.codec import ARCHIVE, CLUSTERS, HISTORY
from cimaster.pool.decisions import archiving
from cimaster.pool.records import history
from cimaster.pool.records.json_edit import dump_lines
from cimaster.repository.stores.port import COMMIT_ANNOTATION
from cimaster.repository.stores.sqlite import SQLiteStore
from cimaster.services.archiving import Archiving
from cimaster.services.clusters import Clusters
from cimaster.services.history import History, HistoryFilter
from cimaster.services.usage_sums import count_usage
from tests.stored import OBJECTS
from tests.workerless import opened

CLUSTER = ' [ {"name":"c1" ,"status": "finished", "region": "us-west", "x": 1.10} ]\n'
OTHERS = {"notes.txt": "kept", "creations.json": '[\n{"id": "c-1",  "later": true}\n]', "policies.json": "[\n7\n]"}
STRANGE = [
    '[\n  {"x": 1}\n, {"event": "taken",\n   "cluster": "c1"}, [1,\n 2], "text" , 7\n]',
    "[7]",
    '[[3, "2026-01-02T11:59:00Z", "c1", "taken", "", "", "", "", "", {"later": [1]}], {"commit": 2}, [3, 4]]',
]


@contextmanager
def pool_with(data: Mapping[str, str]) -> Iterator[Clusters]:
    """A pool with these data, in a store of its own."""
    with tempfile.TemporaryDirectory() as folder:
        store = SQLiteStore(str(Path(folder) / "pool.db"), "clusters")
        empty = store.read()
        store.replace(empty.replaced({CLUSTERS: CLUSTER, **data}, {COMMIT_ANNOTATION: "9"}))
        with opened(store) as service:
            yield service


def archive(service: Clusters) -> int:
    """Archive what is stored."""
    return Archiving(service.repository, count_usage).archive()


def archived(service: Clusters) -> list[str]:
    """Return what identifies each change in the archive, oldest first."""
    frames = [frame for slot in reversed(service.repository.history_ring.slots()) for frame in slot.frames]
    return [archiving.identity(entry) for frame in frames for _, entry in frame.entries()]


def check_archived_once(stored: str) -> None:
    """Archive a history, and compare the archive with it."""
    with pool_with({HISTORY: stored}) as service:
        before = [archiving.identity(entry) for entry in history.parse(stored)]
        archive(service)
        assert archived(service) == before
        assert service.repository.fresh().pool.history == ()
        shown = History(service.repository).page(service.repository.fresh(), HistoryFilter(), 100)
        assert [archiving.identity(entry) for entry in shown.entries] == before[::-1]
        for wanted in (HistoryFilter(cluster="c1"), HistoryFilter(until=datetime(2026, 1, 1, tzinfo=UTC))):
            History(service.repository).page(service.repository.fresh(), wanted, 100)


@pytest.mark.parametrize("stored", STRANGE)
def test_a_history_of_another_form_is_archived_once(stored: str) -> None:
    check_archived_once(stored)


@settings(max_examples=100, deadline=None, suppress_health_check=list(HealthCheck))
@given(OBJECTS.map(lambda data: data[HISTORY]))
def test_any_history_is_archived_once(stored: str) -> None:
    check_archived_once(stored)


def test_the_history_of_an_earlier_version_is_archived_whole() -> None:
    """An earlier version kept the last 20 changes of each cluster, as objects."""
    entries = [
        {
            "commit": number // 2,
            "at": "2026-01-02T11:59:00Z",
            "cluster": f"c{number % 60}",
            "event": "taken",
            "by": "bot",
        }
        for number in range(1200)
    ]
    with pool_with({HISTORY: dump_lines([json.dumps(entry) for entry in entries])}) as service:
        assert archive(service) == len(entries)
        assert list(map(json.loads, archived(service))) == entries


@pytest.mark.parametrize("claim", [None, "{}", "[1]", "nonsense", '{"by": 7, "until": "x", "through": -1}'])
def test_archiving_changes_no_other_key(claim: str | None) -> None:
    stored = {**OTHERS, HISTORY: '[{"commit": 3}]'} | ({ARCHIVE: claim} if claim else {})
    with pool_with(stored) as service:
        assert archive(service) == 1
        after = service.repository.fresh().object.data
        assert {key: after[key] for key in (CLUSTERS, *OTHERS)} == {CLUSTERS: CLUSTER, **OTHERS}
        assert json.loads(after[HISTORY]) == []
        assert json.loads(after[ARCHIVE])["through"] == 3


def test_members_of_a_later_version_stay_in_the_claim() -> None:
    with pool_with({HISTORY: "[7]", ARCHIVE: '{"later": {"x": 1.10}, "through": 2, "lost": 3}'}) as service:
        archive(service)
        claim = json.loads(service.repository.fresh().object.data[ARCHIVE])
        assert claim["later"] == {"x": 1.1}
        assert claim["lost"] == 3
