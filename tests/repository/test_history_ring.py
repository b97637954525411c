"""The archive of history over SQLite: each change once and in order, whichever write is lost, repeated or overtaken."""

import itertools
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path

import pytest

from cimaster.common.clock import Clock
from cimaster.errors import StoreTrouble
from cimaster.pool.records.history import Entry
from cimaster.repository import history_slot
from cimaster.repository.history_ring import ArchiveBusy, HistoryRing
from cimaster.repository.history_slot import META, Slot
from cimaster.repository.stores.port import AnswerLost, StoredObject
from cimaster.repository.stores.sqlite import SQLiteStore

NOW = datetime(2026, 1, 2, 12, 0, tzinfo=UTC)
NAMES = ("history-00", "history-01", "history-02")


class LossyStore(SQLiteStore):
    """Loses the next answer to a write, which is applied or not."""

    loses: str = ""

    def read(self, not_older_than: str = "") -> StoredObject:
        if self.loses == "reads":
            raise StoreTrouble(f"{self.where} cannot be reached")
        return super().read(not_older_than)

    def replace(self, changed: StoredObject) -> str:
        loses, self.loses = self.loses, ""
        if loses == "before":
            raise AnswerLost(loses)
        version = super().replace(changed)
        if loses == "after":
            raise AnswerLost(loses)
        return version


class Archive:
    """A ring as one process sees it, over the given file."""

    def __init__(self, path: Path, names: Sequence[str] = NAMES) -> None:
        self.stores = [LossyStore(str(path), name) for name in names]
        self.ring = HistoryRing(self.stores, Clock())

    def append(self, *numbers: int, pool_id: str = "p") -> int:
        """Archive a change for each number."""
        return self.ring.append([(n, change(n)) for n in numbers], pool_id, no_usage)

    @property
    def commits(self) -> list[int]:
        """The numbers of the commits in the archive, in order, as a process sees them that reads it anew."""
        with_fresh_eyes = HistoryRing(self.stores, Clock())
        slots = reversed(with_fresh_eyes.slots())
        return [number for slot in slots for frame in slot.frames for number, _ in frame.entries()]


def change(number: int) -> Entry:
    """Return a change of that commit."""
    return Entry.of("taken", f"cluster-{number % 7}", NOW, number, by="ci-bot", job="e2e", build=str(number))


def no_usage(_before: Slot | None, _slot: Slot, _entries: Sequence[tuple[int, Entry]]) -> bytes:
    """Count nothing."""
    return b""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "pool.db"


@pytest.fixture
def archive(file: Path) -> Iterator[Archive]:
    opened = Archive(file)
    yield opened
    opened.ring.close()


@pytest.fixture
def other(file: Path, archive: Archive) -> Iterator[Archive]:
    """Another process that uses the archive."""
    archive.ring.newest()
    opened = Archive(file)
    yield opened
    opened.ring.close()


def test_changes_are_read_back_as_they_were_archived(archive: Archive) -> None:
    assert archive.append(1, 2, 5) == 5
    (slot,) = archive.ring.slots()
    assert [entry.text for frame in slot.frames for _, entry in frame.entries()] == [
        change(number).text for number in (1, 2, 5)
    ]


def test_changes_that_the_archive_has_are_not_appended_again(archive: Archive) -> None:
    archive.append(1, 2)
    assert archive.append(1, 2, 3) == 3
    assert archive.append(2, 3) == 3
    assert archive.commits == [1, 2, 3]


@pytest.mark.parametrize("loses", ["before", "after"])
def test_a_lost_answer_is_cleared_up_by_the_next_try(archive: Archive, loses: str) -> None:
    archive.append(1)
    archive.stores[0].loses = loses
    with pytest.raises(ArchiveBusy):
        archive.append(1, 2)
    assert archive.append(1, 2, 3) == 3
    assert archive.commits == [1, 2, 3]


@pytest.mark.parametrize("loses", ["before", "after"])
def test_after_a_lost_answer_only_its_slot_and_the_newest_are_read(archive: Archive, loses: str) -> None:
    archive.append(1)
    archive.stores[0].loses = loses
    with pytest.raises(ArchiveBusy):
        archive.append(1, 2)
    archive.stores[1].loses = archive.stores[2].loses = "reads"
    assert archive.append(1, 2, 3) == 3
    assert archive.commits == [1, 2, 3]


def test_all_slots_are_read_again_after_another_process_replaced_them(
    archive: Archive, other: Archive, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patched:
        patched.setattr("cimaster.repository.history_ring.SIZE_LIMIT", 0)
        for number in (1, 2, 3, 4):  # the newest slot is the first object again
            archive.append(number)
    (imported,) = [slot for slot in other.ring.slots() if slot.last == 2]
    other.ring.fill([imported], "q", 1)
    with pytest.raises(ArchiveBusy):
        archive.append(5)
    assert archive.append(5, pool_id="q") == 5
    assert archive.commits == [2, 5]


def test_a_process_that_stood_still_repeats_nothing(archive: Archive, other: Archive) -> None:
    archive.append(1)
    other.append(1, 2, 3)
    with pytest.raises(ArchiveBusy):
        archive.append(1, 2)
    assert archive.append(1, 2) == 3
    assert archive.commits == [1, 2, 3]


def test_a_process_that_stood_still_writes_no_slot_that_is_full(
    archive: Archive, other: Archive, monkeypatch: pytest.MonkeyPatch
) -> None:
    archive.append(1)
    other.ring.newest()
    with monkeypatch.context() as patched:
        patched.setattr("cimaster.repository.history_ring.SIZE_LIMIT", 0)  # for the other process, the slot is full
        other.append(1, 2)
    with pytest.raises(ArchiveBusy):
        archive.append(1, 2)
    assert archive.append(1, 2, 3) == 3
    assert archive.commits == [1, 2, 3]


def test_the_oldest_slot_is_overwritten_when_all_are_full(archive: Archive, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cimaster.repository.history_ring.SIZE_LIMIT", 0)
    for number in range(1, 8):
        archive.append(number)
    assert archive.commits == [5, 6, 7]
    assert [slot.generation for slot in archive.ring.slots()] == [7, 6, 5]


def test_the_oldest_is_overwritten_also_with_another_number_of_objects(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("cimaster.repository.history_ring.SIZE_LIMIT", 0)
    names = [f"history-{number:02}" for number in range(5)]
    numbers = itertools.count(1)
    for objects, changes in ((5, 4), (2, 2), (5, 2)):
        archive = Archive(file, names[:objects])
        for number in itertools.islice(numbers, changes):
            assert archive.append(number) == number
        commits = archive.commits
        archive.ring.close()
    assert commits == [4, 5, 6, 7, 8]


def test_a_slot_is_written_to_its_own_object_whatever_its_generation(archive: Archive) -> None:
    archive.append(1)
    archive.append(2, pool_id="q")
    older = archive.stores[0].read()
    meta = older.data[META].replace('"generation":1', '"generation":2')  # as after a change of the number of objects
    archive.stores[0].replace(older.replaced({META: meta}, {}))
    archive.ring = HistoryRing(archive.stores, Clock())
    newest = archive.ring.newest()
    assert newest
    archive.ring.replace(newest, newest.as_sealed(newest.usage))
    assert [Slot.parse(store.read()).sealed for store in archive.stores] == [True, True, False]
    assert [Slot.parse(store.read()).last for store in archive.stores] == [1, 2, 0]


def test_a_reader_does_not_wait_for_a_slot_that_was_being_begun(
    archive: Archive, other: Archive, monkeypatch: pytest.MonkeyPatch
) -> None:
    archive.append(1)
    with monkeypatch.context() as patched:
        patched.setattr("cimaster.repository.history_ring.SIZE_LIMIT", 0)
        archive.stores[1].loses = "before"
        with pytest.raises(ArchiveBusy):
            archive.append(2)
        assert [slot.last for slot in other.ring.slots(through=1)] == [1]
        assert other.ring.slots()[0].last == 1
        archive.append(2)
    assert [slot.last for slot in other.ring.slots(through=2)] == [2, 1]


def test_many_changes_are_split_into_frames(archive: Archive) -> None:
    archive.append(*range(1, 4001))
    archive.append(*range(4001, 4011))
    (slot,) = archive.ring.slots()
    assert len(slot.frames) > 2
    assert all(frame.raw < 2 * history_slot.FRAME_SIZE for frame in slot.frames)
    assert archive.commits == list(range(1, 4011))


def test_a_reader_sees_what_another_process_archived(archive: Archive, other: Archive) -> None:
    archive.append(1)
    other.append(1, 2)
    assert archive.ring.slots(through=2)[0].last == 2


def test_another_pool_begins_its_own_slot(archive: Archive) -> None:
    archive.append(1, pool_id="p")
    archive.append(2, pool_id="q")
    assert [(slot.pool_id, slot.last) for slot in archive.ring.slots()] == [("q", 2), ("p", 1)]


@pytest.mark.parametrize(
    "text",
    [
        "{}",
        "nonsense",
        '{"generation": 1, "frames": [[5, 1, 1, 1, 1]]}',
        '{"generation": 1, "frames": [[0, 1, 1, 1, 1e3]]}',
        f'{{"generation": 1, "frames": [[0, 1, 1, 1, {10**18}]]}}',
        '{"generation": -1}',
    ],
)
def test_an_object_that_is_no_slot_is_named_and_overwritten(archive: Archive, text: str) -> None:
    spoilt = archive.stores[1].read()
    archive.stores[1].replace(spoilt.replaced({META: text}, {}))
    archive.append(1)
    assert "history-01" not in str(archive.ring.slots())
    assert any("cannot be read" in trouble for trouble in archive.ring.trouble.values())
    assert archive.commits == [1]


def test_a_damaged_frame_stays_and_the_archive_goes_on(archive: Archive) -> None:
    archive.append(1)
    stored = archive.stores[0].read()
    damaged = stored.binary("changes")[:-3] + b"xyz"
    archive.stores[0].replace(stored.with_binary({"changes": damaged}))
    archive.ring = HistoryRing(archive.stores, Clock())
    assert archive.append(2) == 2
    (slot,) = archive.ring.slots()
    with pytest.raises(ValueError, match="damaged"):
        slot.frames[0].entries()
    assert [number for number, _ in slot.frames[1].entries()] == [2]


def test_nothing_is_appended_while_a_slot_cannot_be_read(archive: Archive) -> None:
    archive.append(1)
    anew = HistoryRing(archive.stores, Clock())
    archive.stores[0].loses = "reads"  # it may be the newest
    with pytest.raises(StoreTrouble):
        anew.append([(2, change(2))], "p", no_usage)
    archive.stores[0].loses = ""
    assert anew.append([(2, change(2))], "p", no_usage) == 2
    assert archive.commits == [1, 2]


def test_slots_that_do_not_exist_are_left_out(archive: Archive, file: Path) -> None:
    missing = LossyStore(str(file), "history-03")
    missing._connection().execute("DELETE FROM objects WHERE name = 'history-03'")
    ring = HistoryRing([*archive.stores, missing], Clock())
    assert ring.append([(1, change(1))], "p", no_usage) == 1
    assert any("history-03" in trouble for trouble in ring.trouble.values())
    missing.close()
