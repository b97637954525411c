"""`cimaster forget`: nothing that is stored names the person any more, and all the rest stays as it was."""

import base64
import json
import zlib
from collections.abc import Sequence
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from cimaster.pool import ClusterFacts, Criteria, FinishRequest, HoldTerms
from cimaster.pool.codec import NOTICES
from cimaster.pool.records.history import Entry
from cimaster.repository.history_ring import ArchiveBusy
from cimaster.repository.history_slot import Slot
from cimaster.repository.stores import open_store
from cimaster.services import usage_sums
from cimaster.services.archiving import Archiving
from cimaster.services.clusters import Clusters
from cimaster.services.history import History, HistoryFilter
from cimaster.services.usage import Question, Usage
from cimaster.settings import Settings
from tests.process.stored_pools import KINDS, archive, cimaster, pool_of
from tests.workerless import hold, opened

NOTICE = {"id": "n1", "kind": "quarantined", "at": "2026-01-02T12:00:00Z", "cluster": "cluster-01", "by": "alice"}


def take_and_finish(service: Clusters, by: str) -> None:
    """Lend a cluster to a job that a person triggered, and get it back."""
    lent = service.take(Criteria(job="e2e", build="7", by=by))
    assert lent.answer.cluster
    service.finish(FinishRequest(lent.answer.cluster.name, lease=lent.answer.lease))


def named_everywhere(service: Clusters) -> None:
    """Let alice appear in all kinds of records, and in changes that are archived and that are not."""
    service.add("cluster-01", "alice", ClusterFacts("us-west", note="ask Alice (alice@example.com)"))
    hold(service, "alice", "bob")
    service.disable("cluster-01", "Alice", "alice repairs it")
    service.enable("cluster-01", "bob")
    service.hold("cluster-01", "alice", HoldTerms())
    service.take_over("cluster-01", "bob", "alice", "ALICE has left", HoldTerms())
    service.release("cluster-01", "bob", is_admin=False)
    take_and_finish(service, "malice")
    take_and_finish(service, "bob")
    archive(service)
    service.set_health("cluster-01", "alice", "suspect", "alice says so")
    service.disable("cluster-01", "bob", "for alice-2")
    service.enable("cluster-01", "alice")
    take_and_finish(service, "alice")


def stored(settings: Settings) -> str:
    """Return all that is stored for a pool, with the archive decompressed."""
    items = json.loads(cimaster(settings, "export", "--history").stdout)["items"]
    parts = []
    for item in items:
        parts += item["data"].values()
        for packed in item.get("binaryData", {}).values():
            parts.append(decompressed(base64.b64decode(packed)))
    return "\n".join(parts)


def decompressed(packed: bytes) -> str:
    """Return compressed parts that stand one after the other."""
    text = b""
    while packed:
        part = zlib.decompressobj()
        text += part.decompress(packed)
        packed = part.unused_data
    return text.decode()


def changes(service: Clusters) -> list[Entry]:
    """Return all changes, newest first."""
    return History(service.repository).page(service.repository.fresh(), HistoryFilter(), 100).entries


def facts(entries: Sequence[Entry], *names: str) -> list[list[str]]:
    """Return some facts of each change."""
    return [[entry.get_text(name) for name in names] for entry in entries]


@pytest.mark.parametrize("kind", KINDS)
def test_the_name_is_replaced_everywhere_and_nothing_else(
    request: pytest.FixtureRequest, tmp_path: Path, kind: str
) -> None:
    settings = pool_of(request, kind, tmp_path, "pool")
    with opened(open_store(settings), settings) as service:
        named_everywhere(service)
        before = changes(service)
        usage = Usage(service.repository, True, ())
        assert people(usage, service).keys() == {"alice", "bob", "malice"}
        dry = cimaster(settings, "forget", "ALICE", "--dry-run")
        assert (dry.returncode, dry.stdout) == (
            0,
            b"ALICE is named in the pool (1 times) and in its history (10 times)\n",
        ), dry
        assert facts(changes(service), "by") == facts(before, "by")
        done = cimaster(settings, "forget", "ALICE")
        assert (done.returncode, done.stderr) == (0, b"")
        assert (
            done.stdout
            == b"ALICE was named in the pool (1 times) and in its history (10 times): (forgotten) stands there now\n"
        )
        service.repository.fresh()
        after = changes(service)  # in a process that had read the archive before
        assert facts(after, "at", "event", "cluster", "job") == facts(before, "at", "event", "cluster", "job")
        assert {by for (by,) in facts(after, "by")} == {"(forgotten)", "bob", "malice"}
        assert "(forgotten) repairs it" in [entry.reason for entry in after]
        assert "for alice-2" in [entry.reason for entry in after]
        cluster = service.repository.snapshot().pool.find("cluster-01")
        assert cluster.note == "ask (forgotten) ((forgotten)@example.com)"
        assert people(usage, service).keys() == {"(forgotten)", "bob", "malice"}
    everything = stored(settings)
    assert everything.lower().replace("malice", "").replace("alice-2", "").count("alice") == 0
    assert "malice" in everything


def people(usage: Usage, service: Clusters) -> dict[str, int]:
    """Return the seconds in which each person had clusters."""
    rows = usage.report(service.repository.snapshot(), Question("person")).rows
    return {row.label: row.figures.in_use for row in rows}


def test_a_person_with_a_cluster_or_in_the_queue_is_not_forgotten(
    request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    settings = pool_of(request, "sqlite", tmp_path, "pool")
    with opened(open_store(settings), settings) as service:
        for name in ("cluster-01", "cluster-02"):
            service.add(name, "root", ClusterFacts("us-west"))
        service.hold("cluster-01", "alice", HoldTerms())
        service.hold("cluster-02", "bob", HoldTerms(shared_with=("alice",)))
        with suppress(Exception):
            service.hold_or_wait(Criteria("", "", by="alice"), "alice", HoldTerms(), timedelta(hours=1), "")
        (ticket,) = service.repository.snapshot().pool.queue
        for more in ([], ["--dry-run"]):
            refused = cimaster(settings, "forget", "alice", *more)
            assert (refused.returncode, refused.stdout) == (1, b"")
            assert refused.stderr.decode() == (
                "cimaster: alice cannot be forgotten yet, but once this is over: alice holds cluster-01; "
                f"the hold of cluster-02 is shared with alice; ticket {ticket.id} in the queue names alice\n"
            )
        assert ["alice"] in facts(changes(service), "by")


def test_what_cannot_be_edited_is_listed(request: pytest.FixtureRequest, tmp_path: Path) -> None:
    settings = pool_of(request, "sqlite", tmp_path, "pool")
    store = open_store(settings)
    with opened(store, settings) as service:
        service.add("cluster-01", "root", ClusterFacts("us-west"))
    store = open_store(settings)
    before = store.read()
    records = before.data["cluster.json"].rstrip("]\n") + ', {"name": 7, "note": "alice"}]'
    notices = json.dumps([NOTICE | {"sendTo": ["team", "mail/alice"]}, NOTICE | {"id": "n2", "sendTo": ["mail/alice"]}])
    more = {"cluster.json": records, NOTICES: notices, "notes.txt": "alice was here"}
    store.replace(before.replaced({**before.data, **more}, before.annotations))
    done = cimaster(settings, "forget", "alice")
    kept = store.read()
    store.close()
    assert done.returncode == 1
    lines = [line for line in done.stderr.decode().splitlines() if line.startswith("cimaster: ")]
    assert lines[0].startswith("cimaster: the broken record #1.")
    assert lines[1:] == ["cimaster: the key notes.txt of the pool names alice: correct it by hand"]
    (notice,) = json.loads(kept.data[NOTICES])
    assert notice == NOTICE | {"by": "(forgotten)", "sendTo": ["team"]}
    assert kept.data["notes.txt"] == "alice was here"


def test_a_replica_that_archives_meanwhile_does_not_bring_the_name_back(
    request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    settings = pool_of(request, "sqlite", tmp_path, "pool")
    with opened(open_store(settings), settings) as service:
        service.add("cluster-01", "root", ClusterFacts("us-west"))
        archive(service)
        hold(service, "alice", "bob")
        outputs: list[bytes] = []

        def count(before: Slot | None, slot: Slot, new: Sequence[tuple[int, Entry]]) -> bytes:
            if not outputs:
                outputs.append(cimaster(settings, "forget", "alice").stdout)
            return usage_sums.count_usage(before, slot, new)

        archiving = Archiving(service.repository, count)
        with pytest.raises(ArchiveBusy):
            archiving.archive()
        assert outputs == [
            b"alice was named in the pool (0 times) and in its history (2 times): (forgotten) stands there now\n"
        ]
        assert archiving.archive() == 4
        assert "alice" not in stored(settings)
        assert [by for (by,) in facts(changes(service), "by")] == ["bob", "bob", "(forgotten)", "(forgotten)", "root"]
        unarchived = HistoryFilter(since=datetime(2020, 1, 1, tzinfo=UTC))
        assert len(list(History(service.repository).entries(service.repository.fresh(), unarchived))) == 5


def test_an_empty_archive_and_an_unknown_person(request: pytest.FixtureRequest, tmp_path: Path) -> None:
    settings = pool_of(request, "sqlite", tmp_path, "pool")
    with opened(open_store(settings), settings) as service:
        service.add("cluster-01", "root", ClusterFacts("us-west"))
        for _ in range(2):
            done = cimaster(settings, "forget", "alice")
            assert (done.returncode, done.stdout[:32]) == (0, b"alice was named in the pool (0 t")
        archive(service)
        assert facts(changes(service), "event", "by") == [["added", "root"]]
    assert cimaster(settings, "forget", " ").returncode == 2
