"""The walks of docs/architecture.md are true: each hop exists, and names the next one unless it says why not."""

import inspect
import itertools
import pkgutil
import re
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from cimaster.app import create_app
from cimaster.repository.stores.sqlite import SQLiteStore
from cimaster.settings import Settings
from cimaster.web.components import components_of
from tests.docs import markdown
from tests.server import free_ports

PAGE = "docs/architecture.md"
WALKS = tuple(line for line in markdown.prose_of(PAGE).splitlines() if line.startswith("### Walk: "))
MOST = 15
_HOP = re.compile(r"^\d+\. `([\w.]+)` — (.+)$", re.MULTILINE)


@dataclass(frozen=True)
class Hop:
    """One step of a walk: a function's name below `cimaster`, and what the page says of it."""

    name: str
    words: str

    @property
    def is_indirect(self) -> bool:
        """Whether the page says why the source does not name the next hop."""
        return "*(Indirect: " in self.words

    @property
    def function(self) -> Any:
        """The function itself."""
        return pkgutil.resolve_name(f"cimaster.{self.name}")


def hops(walk: str) -> list[Hop]:
    """Return the hops of a walk."""
    return [Hop(*match) for match in _HOP.findall(markdown.section(PAGE, walk))]


def pairs() -> list[tuple[Hop, Hop]]:
    """Return each hop with the next one."""
    return [pair for walk in WALKS for pair in itertools.pairwise(hops(walk))]


def test_there_are_walks_of_a_take_a_click_an_expiry_and_the_archive() -> None:
    assert len(WALKS) == 4
    for walk in WALKS:
        numbered = re.findall(r"^\d+\. ", markdown.section(PAGE, walk), re.MULTILINE)
        assert 5 < len(numbered) == len(hops(walk)) <= MOST, walk


@pytest.mark.parametrize(
    "hop", list(dict.fromkeys(hop for walk in WALKS for hop in hops(walk))), ids=lambda hop: hop.name
)
def test_the_hop_is_a_function(hop: Hop) -> None:
    assert inspect.isroutine(inspect.unwrap(hop.function))


@pytest.mark.parametrize(("hop", "following"), pairs(), ids=lambda hop: hop.name)
def test_the_hop_names_the_next_one_or_says_why_not(hop: Hop, following: Hop) -> None:
    source = inspect.getsource(inspect.unwrap(hop.function))
    named = re.search(rf"\b{following.name.rpartition('.')[2]}\b", source) is not None
    assert named or hop.is_indirect, f"{hop.name} does not mention {following.name}"


def test_every_thread_of_a_replica_is_told(tmp_path: Path) -> None:
    before = set(threading.enumerate())
    app = create_app(Settings(port=free_ports(1)[0]), SQLiteStore(str(tmp_path / "pool.db"), "clusters"))
    lifecycle = components_of(app).lifecycle
    lifecycle.start()
    started = {thread.name for thread in set(threading.enumerate()) - before}
    lifecycle.stop()
    told = {row[0].strip("`") for row in markdown.rows(markdown.section(PAGE, "## The threads"))}
    assert started == told - {"thread", "---", "request threads"}
