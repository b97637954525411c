"""What a waiting command says in a log and on a terminal, without a service."""

import io

import pytest

from cimaster.cli.client import QueuePlace
from cimaster.cli.progress import WaitingProgress


def lines(*places: QueuePlace) -> list[str]:
    """Return what a log gets while a command has these places in the queue."""
    log = io.StringIO()
    with WaitingProgress("a tess-ci cluster", log) as progress:
        for place in places:
            progress.queued(place)
    return log.getvalue().splitlines()


@pytest.mark.parametrize(
    ("place", "said"),
    [
        (QueuePlace("3", 700), "for 0s: number 3 in the queue, about 12 min"),
        (QueuePlace("3"), "for 0s: number 3 in the queue"),
        (QueuePlace("", 700), "for 0s"),
        (QueuePlace("\x1b[2J"), r"for 0s: number \x1b[2J in the queue"),
    ],
)
def test_the_place_and_the_expected_wait_are_said(place: QueuePlace, said: str) -> None:
    assert lines(QueuePlace("9"), place)[-1] == f"cimaster: waiting for a tess-ci cluster {said}"


def test_a_log_gets_one_line_for_each_place() -> None:
    places = [QueuePlace("3", 700), QueuePlace("3", 640), QueuePlace("2", 500), QueuePlace("2", 500)]
    assert [line.rpartition(": ")[2] for line in lines(*places)[1:]] == [
        "number 3 in the queue, about 12 min",
        "number 2 in the queue, about 9 min",
    ]
