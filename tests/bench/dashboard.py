"""`make bench-dashboard`: what the dashboard costs a browser and the service, with 60 and with 1,000 clusters."""

import shutil
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from playwright.sync_api import Page, Response, sync_playwright

from tests.bench.table import markdown
from tests.pages.people import ARGUMENTS
from tests.replica import Replica
from tests.screenshots import write_pool

_LOADS, _POLLS = 7, 20
_IDLE = 15_000  # milliseconds
_POLL = "/ui/fragments/clusters"
_NOTE_LONG_TASKS = """(() => {
    window.longestTask = 0;
    const note = list => list.getEntries().forEach(task => { longestTask = Math.max(longestTask, task.duration) });
    new PerformanceObserver(note).observe({ type: 'longtask', buffered: true });
})()"""
_NAVIGATION = """(() => {
    const [page] = performance.getEntriesByType('navigation');
    const [firstPaint] = performance.getEntriesByName('first-contentful-paint');
    return {
        'first byte, ms': page.responseStart - page.requestStart,
        'page, kB compressed': page.encodedBodySize / 1000,
        'first paint, ms': firstPaint ? firstPaint.startTime : 0,
        'interactive, ms': page.domContentLoadedEventEnd,
    };
})()"""
_LAST_POLL = f"""(() => {{
    const polls = performance.getEntriesByType('resource').filter(entry => entry.name.includes('{_POLL}'));
    return polls.at(-1).encodedBodySize;
}})()"""
_TARGETS = {
    "first byte, ms": "150",
    "page, kB compressed": "",
    "first paint, ms": "",
    "interactive, ms": "1,000",
    "longest task while it loads, ms": "",
    "a poll after one change, kB compressed": "5",
    "a poll after one change, ms of CPU": "20",
    "longest task after a change, ms": "50",
    "answers with rows in 15 s without a change": "0",
}
_TOO_SHORT = "under 50"  # browsers report tasks from 50 ms on


@dataclass
class _Figures:
    """What was measured, by the names in _TARGETS; each several times."""

    measured: dict[str, list[float]] = field(default_factory=dict)

    def add(self, name: str, value: float) -> None:
        self.measured.setdefault(name, []).append(value)

    def cell(self, name: str) -> str:
        """Return the median and the largest value, or only the latter for the longest tasks."""
        values = self.measured[name]
        if name.startswith("longest task"):
            return f"{max(values):.0f}" if max(values) else _TOO_SHORT
        if len(values) == 1:
            return f"{values[0]:.0f}"
        return f"{statistics.median(values):.1f} / {max(values):.1f}"


def main() -> None:
    """Print the table: median and largest of several measurements."""
    chromium = shutil.which("chromium")
    if chromium is None:
        sys.exit("chromium is not installed: apt-get install chromium")
    columns = [_measured(clusters, chromium) for clusters in (60, 1000)]
    rows = [[name, *(column.cell(name) for column in columns), target] for name, target in _TARGETS.items()]
    print(markdown(("figure", "60 clusters", "1,000 clusters", "limit"), rows))


def _measured(clusters: int, chromium: str) -> _Figures:
    figures = _Figures()
    with tempfile.TemporaryDirectory(prefix="cimaster-dashboard-") as name, sync_playwright() as playwright:
        folder = Path(name)
        write_pool(folder / "pool.db", clusters)
        with Replica(folder, CIMASTER_STORE=f"sqlite:{folder / 'pool.db'}") as replica:
            browser = playwright.chromium.launch(executable_path=chromium, args=ARGUMENTS)
            context = browser.new_context(viewport={"width": 1280, "height": 800})
            context.add_cookies([{"name": "cimaster_name", "value": "alice", "url": replica.url}])
            context.add_init_script(_NOTE_LONG_TASKS)
            page = context.new_page()
            for _ in range(_LOADS):
                _load(page, replica.url, figures)
            _follow_changes(page, replica, figures)
            _watch_without_changes(page, replica, figures)
            browser.close()
            _poll_after_changes(replica, figures)
    return figures


def _load(page: Page, url: str, figures: _Figures) -> None:
    page.goto(url)
    page.wait_for_load_state("networkidle")
    for name, value in page.evaluate(_NAVIGATION).items():
        figures.add(name, value)
    figures.add("longest task while it loads, ms", page.evaluate("longestTask"))


def _change(replica: Replica, number: int) -> None:
    fields = {"cluster": "cluster-05", "name": "root", "note": f"note {number}"}
    answer = replica.http.post(f"{replica.url}/updatecluster", fields)
    if not answer.ok:
        raise RuntimeError(answer.text)


def _follow_changes(page: Page, replica: Replica, figures: _Figures) -> None:
    """Change the pool, and wait until the page shows it."""
    page.evaluate("longestTask = 0")
    for number in range(_POLLS):
        _change(replica, number)
        page.locator("tr.row", has_text=f"note {number}").wait_for(state="attached")
        figures.add("a poll after one change, kB compressed", page.evaluate(_LAST_POLL) / 1000)
    figures.add("longest task after a change, ms", page.evaluate("longestTask"))


def _watch_without_changes(page: Page, replica: Replica, figures: _Figures) -> None:
    """Count the polls that are answered with rows while nothing changes."""
    answers: list[int] = []

    def note(response: Response) -> None:
        if _POLL in response.url:
            answers.append(response.status)

    page.on("response", note)
    while True:
        page.wait_for_timeout(3_000)  # the last change has arrived in every fragment
        commit = _commit(replica)
        answers.clear()
        page.wait_for_timeout(_IDLE)
        if _commit(replica) == commit:  # the made-up pool changes by itself once
            break
    if not answers:
        raise RuntimeError("the page does not poll")
    figures.add("answers with rows in 15 s without a change", sum(status == 200 for status in answers))


def _commit(replica: Replica) -> str:
    return replica.get("/clusters").headers["CIMaster-Commit"]


def _poll_after_changes(replica: Replica, figures: _Figures) -> None:
    """Poll as a page does, without a browser beside it, and measure the processor time of the service."""
    shown: dict[str, str] = {}

    def poll() -> None:
        answer = replica.http.get(replica.url + _POLL, headers=shown, cookies={"cimaster_name": "alice"})
        answer.raise_for_status()
        shown["HX-PTag"] = answer.headers["HX-PTag"]

    poll()
    for number in range(_POLLS):
        _change(replica, _POLLS + number)
        figures.add("a poll after one change, ms of CPU", _processor_time(replica, poll) * 1000)


def _processor_time(replica: Replica, act: Callable[[], None]) -> float:
    """Return the seconds of processor time that the service uses until an action is done."""
    time.sleep(0.3)  # its threads have done what the last change caused
    before = _used(replica)
    act()
    return _used(replica) - before


def _used(replica: Replica) -> float:
    assert replica.server.process is not None
    group = str(replica.server.process.pid)
    tasks = (stat for stat in Path("/proc").glob("[0-9]*/task/*/schedstat") if _group(stat.parents[2]) == group)
    return sum(int(stat.read_text().split()[0]) for stat in tasks) / 1e9


def _group(process: Path) -> str:
    try:
        return (process / "stat").read_text().rpartition(")")[2].split()[2]
    except OSError:  # it has ended meanwhile
        return ""


if __name__ == "__main__":
    main()
