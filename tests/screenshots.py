"""`make screenshots`: takes the pictures of the README and of docs/, from the real service with a made-up pool."""

import json
import shutil
import sys
import tempfile
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from playwright.sync_api import Browser, sync_playwright

from cimaster.common.times import format_time
from cimaster.pool.records import remembered
from cimaster.pool.records.health import RESULT_OF, JobResult
from cimaster.pool.records.remembered import STORED
from cimaster.repository.stores.sqlite import SQLiteStore
from tests.pages.people import ARGUMENTS
from tests.replica import Replica

_IMAGES = Path(__file__).parents[1] / "docs" / "images"
_WIDE, _NARROW = (1280, 800), (320, 800)
_PICTURES = (  # file, address (scrolled to its fragment), visitor, colour scheme, size
    ("dashboard-light", "/", "alice", "light", _WIDE),
    ("dashboard-dark", "/", "alice", "dark", _WIDE),
    ("clusters", "/#clusters", "alice", "light", _WIDE),
    ("cluster", "/ui/clusters/cluster-05", "alice", "light", _WIDE),
    ("inventory", "/ui/admin", "root", "light", _WIDE),
    ("narrow", "/#clusters", "alice", "light", _NARROW),
)
_FAILURES = "3 failures in a row: e2e-storage #128, #129, #130"
_LINKS = {
    "statusLink": "https://prow.example.com/prowjob?prowjob=e2e-k8s",
    "logLink": "https://prow.example.com/log?job=e2e-k8s",
}


def main() -> None:
    """Write docs/images/*.png."""
    chromium = shutil.which("chromium")
    if chromium is None:
        sys.exit("chromium is not installed: apt-get install chromium")
    _IMAGES.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="cimaster-screenshots-") as name:
        folder = Path(name)
        write_pool(folder / "pool.db", clusters=60)
        replica = Replica(
            folder,
            CIMASTER_STORE=f"sqlite:{folder / 'pool.db'}",
            CIMASTER_MANAGE_CLUSTER="on",
            CIMASTER_PROW_URL="http://127.0.0.1:9/",  # nothing listens there, so no creation starts or ends
            CIMASTER_DEFAULT_PROW_JOB="e2e-k8s-1.32",
        )
        with replica, sync_playwright() as playwright:
            browser = playwright.chromium.launch(executable_path=chromium, args=ARGUMENTS)
            for picture in _PICTURES:
                _take(browser, replica.url, *picture)
            browser.close()


def _take(browser: Browser, url: str, file: str, path: str, visitor: str, scheme: Any, size: tuple[int, int]) -> None:
    viewport: Any = {"width": size[0], "height": size[1]}
    context = browser.new_context(viewport=viewport, color_scheme=scheme, reduced_motion="reduce")
    context.add_cookies([{"name": "cimaster_name", "value": visitor, "url": url}])
    page = context.new_page()
    page.goto(url + path)
    page.screenshot(path=_IMAGES / f"{file}.png")
    context.close()


def write_pool(path: Path, clusters: int) -> None:
    """Write a pool with clusters in all states, 7 jobs that wait, and 3 creations."""
    data = {
        "cluster.json": _clusters(clusters),
        "queue.json": _queue(),
        "creations.json": _creations(),
        "policies.json": _policies(),
        "history.json": _history(),
    }
    store = SQLiteStore(str(path), "clusters")
    stored = store.read()
    store.replace(stored.replaced({key: json.dumps(value) for key, value in data.items()}, stored.annotations))
    store.close()


def _ago(**duration: float) -> str:
    return format_time(datetime.now(UTC) - timedelta(**duration))


def _ahead(**duration: float) -> str:
    return format_time(datetime.now(UTC) + timedelta(**duration))


def _clusters(count: int) -> list[dict[str, Any]]:
    vacant = [_cluster(number, vacantSince=_ago(minutes=7 * number)) for number in (1, 7, 8, 11, 12, 15, 17, 19)]
    network = [_leased(number, "e2e-network", 310 + number, "erin", 9 * number) for number in (20, 21, 22, 23)]
    for record in network:
        record |= {"name": record["name"].replace("cluster", "tnet"), "purpose": "tnet-ci", "osimage": "flatcar-3975"}
    others = [
        _held(2, "bob", "kernel panic after upgrade", held_for=75, minutes_left=285),
        _leased(3, "e2e-conformance", 12345, "john", 95),
        _leased(4, "e2e-upgrade", 871, "ci-bot", 14, ttl=120),
        _held(5, "alice", "network issue", held_for=332, minutes_left=28),
        _disabled(6, "waits for a new switch"),
        _leased(9, "e2e-storage", 402, "carol", 600),
        _cluster(10, labels={"gpu": "yes"}, note="GPU node, slow to boot", vacantSince=_ago(minutes=3)),
        _leased(13, "e2e-conformance", 12346, "john", 41) | _hold("alice", "look at the failed run", 41, None),
        _held(14, "dora", "demo for the storage team", held_for=352, minutes_left=8),
        _leased(16, "e2e-storage", 403, "carol", 22),
        _disabled(18, "disk errors in rack 4"),
        _leased(24, "e2e-upgrade", 872, "ci-bot", 3, ttl=120),
        _cluster(25, health="quarantined", healthReason=_FAILURES, healthSince=_ago(minutes=50), **_results("fff")),
        _cluster(26, checking="clean", checkBy="replica-1", checkUntil=_ahead(minutes=1), **_results("pp")),
        _cluster(27, checking="clean", checkAfter=_ahead(hours=1), **_results("pfp")),
        {"name": "cluster-30", "status": "unknown", "region": "us-west"},
    ]
    for record in others:
        if record["name"] in ("cluster-02", "cluster-03", "cluster-05", "cluster-10"):
            record |= _results("fpfpp")
    kinds = [*others, *network, *vacant]  # in this order, so that a pool of 20 has a row of every kind
    usual = [_usual(number) for number in range(31, 31 + count - len(kinds))]
    return sorted([*kinds, *usual][:count], key=lambda record: str(record["name"]))


def _usual(number: int) -> dict[str, Any]:
    if number % 3 == 0:
        return _leased(number, "e2e-storage", 400 + number, "carol", 2 * number)
    if number % 7 == 0:
        return _held(number, "erin", "looks at a slow disk", held_for=number, minutes_left=3 * number)
    return _cluster(number, vacantSince=_ago(minutes=number), **_results("pppp" if number % 2 else "pp"))


def _results(newest_first: str) -> dict[str, str | None]:
    """Return the member of a record that remembers these results, given by their letters."""
    hours = enumerate(newest_first, 1)
    results = [
        JobResult(RESULT_OF[letter], "e2e-storage", str(131 - hour), datetime.now(UTC) - timedelta(hours=hour))
        for hour, letter in hours
    ]
    return {STORED: remembered.edits((), results)[STORED]}


def _cluster(number: int, **more: Any) -> dict[str, Any]:
    return {
        "name": f"cluster-{number:02}",
        "region": ("us-west", "us-east", "eu-central")[number % 3],
        "status": "finished",
        "hold": False,
        "disabled": False,
        "purpose": "tess-ci",
        "osimage": "centos-atomic-7.6",
        **more,
    }


def _leased(number: int, job: str, build: int, by: str, minutes: int, ttl: int = 0) -> dict[str, Any]:
    names = {"lastJob": job, "lastBuild": str(build), "lastTriggerName": by}
    lease = {
        "leaseId": f"lease-{number}",
        "leaseJob": job,
        "leaseBuild": str(build),
        "acquiredAt": _ago(minutes=minutes),
    }
    ends = {"leaseExpires": _ahead(minutes=ttl - minutes)} if ttl else {}
    return _cluster(number, status="testing", **names, **lease, **ends)


def _held(number: int, by: str, reason: str, held_for: int, minutes_left: int) -> dict[str, Any]:
    return _cluster(number) | _hold(by, reason, held_for, minutes_left)


def _hold(by: str, reason: str, held_for: int, minutes_left: int | None) -> dict[str, Any]:
    hold = {"hold": True, "holdBy": by, "holdDesc": reason, "heldAt": _ago(minutes=held_for)}
    return hold | ({"holdExpires": _ahead(minutes=minutes_left)} if minutes_left is not None else {"holdFor": "2h"})


def _disabled(number: int, reason: str) -> dict[str, Any]:
    return _cluster(number, disabled=True, disabledBy="root", disabledReason=reason)


def _queue() -> list[dict[str, Any]]:
    waits = [("erin", 22), ("john", 19), ("alice", 12), ("ci-bot", 9), ("carol", 6), ("ci-bot", 4), ("john", 1)]
    return [_ticket(number, by, minutes) for number, (by, minutes) in enumerate(waits, 1)]


def _ticket(number: int, by: str, minutes: int) -> dict[str, Any]:
    network = {
        "job": "e2e-network",
        "build": str(340 + number),
        "by": by,
        "purpose": "tnet-ci",
        "osimage": "flatcar-3975",
    }
    times = {"since": _ago(minutes=minutes), "until": _ahead(minutes=45 - minutes), "here": _ahead(minutes=30)}
    return {"id": f"request-{number}", **times, "ask": network}


def _creations() -> list[dict[str, Any]]:
    common = {
        "purpose": "tnet-ci",
        "job": "e2e-k8s-1.32",
        "branch": "master",
        "user": "cimaster",
        "policy": True,
        **_LINKS,
    }
    running = {"state": "running", "deadline": _ahead(minutes=80)}
    return [
        {**common, **running, "id": "c-1", "jobName": "e2e-k8s-1.32-7", "requestedAt": _ago(minutes=40)},
        {**common, **running, "id": "c-2", "jobName": "e2e-k8s-1.32-8", "requestedAt": _ago(minutes=38)},
        {
            **common,
            "id": "c-3",
            "state": "failed",
            "policy": False,
            "user": "alice",
            "reason": "the job failed: quota of region eu-central is used up",
            "jobEnded": _ago(minutes=50),
            "requestedAt": _ago(minutes=95),
            "failedAt": _ago(minutes=50),
        },
    ]


def _policies() -> list[dict[str, Any]]:
    return [
        {"purpose": "tess-ci", "minVacant": 5, "maxTotal": 40, "maxCreating": 2, "cooldown": "5m"},
        {"purpose": "tnet-ci", "minVacant": 2, "maxTotal": 8, "maxCreating": 2, "hours": "Mon-Fri 06:00-20:00"},
    ]


def _history() -> list[dict[str, Any]]:
    job = {"by": "ci-bot", "job": "e2e-upgrade", "build": "869"}
    events = [
        {"at": _ago(days=2), "event": "added", "to": "vacant", "by": "root"},
        {
            "at": _ago(hours=30),
            "event": "held",
            "from": "vacant",
            "to": "held",
            "by": "bob",
            "reason": "try a new image",
        },
        {"at": _ago(hours=26), "event": "released", "from": "held", "to": "vacant", "by": "bob"},
        {"at": _ago(minutes=388), "event": "taken", "from": "vacant", "to": "occupied", **job, "waited": "4m"},
        {"at": _ago(minutes=334), "event": "finished", "from": "occupied", "to": "vacant", **job},
        {
            "at": _ago(minutes=332),
            "event": "held",
            "from": "vacant",
            "to": "held",
            "by": "alice",
            "reason": "network issue",
        },
    ]
    return [{"commit": number, "cluster": "cluster-05", **event} for number, event in enumerate(events, 1)]


if __name__ == "__main__":
    main()
