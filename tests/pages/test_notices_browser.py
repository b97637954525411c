"""The list of failing channels on the inventory page in a browser."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from playwright.sync_api import expect

from cimaster.common.times import format_time
from cimaster.pool import codec
from cimaster.repository.stores.sqlite import SQLiteStore
from tests.notifiers.receiver import SECRET
from tests.pages.conftest import Visit
from tests.pages.people import AXE, check
from tests.replica import Replica

LONG = "network-team-" * 4 + "on-call"


@pytest.fixture(scope="module")
def replica(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Replica]:
    """A server with two channels, both of which have failed for hours and are not tried again before tomorrow."""
    folder = tmp_path_factory.mktemp("served")
    (folder / "secret").write_text(SECRET)
    channel = f"kind = webhook\nurl = http://127.0.0.1:9/\nsecret_file = {folder}/secret\n"
    (folder / "notices.ini").write_text(f"[ops]\n{channel}[{LONG}]\n{channel}")
    store = SQLiteStore(str(folder / "pool.db"), "clusters")
    stored = store.read()
    store.replace(stored.replaced({**stored.data, **failing()}, stored.annotations))
    store.close()
    store_url, channels = f"sqlite:{folder / 'pool.db'}", str(folder / "notices.ini")
    with Replica(folder, CIMASTER_STORE=store_url, CIMASTER_NOTICES_FILE=channels) as replica:
        yield replica


def failing() -> dict[str, str]:
    """Return what is stored about channels that fail."""
    now = datetime.now(UTC)
    times = {"failedAt": format_time(now - timedelta(hours=5)), "nextTry": format_time(now + timedelta(days=1))}
    channels: dict[str, dict[str, Any]] = {
        "ops": {"tries": 3, "failure": "hooks.example.com gave no answer (ConnectTimeout)", **times},
        LONG: {"tries": 9, "failure": f"{'a-long-name.' * 9}example.com answered 503", "givenUp": 12, **times},
    }
    notice = {"id": "7-0", "kind": "quarantined", "at": times["failedAt"], "sendTo": ["ops", LONG]}
    return {codec.NOTICES: json.dumps([notice]), codec.NOTICE_STATE: json.dumps({"channels": channels})}


def test_axe_finds_nothing_in_the_list_of_failing_channels(visit: Visit) -> None:
    root = visit("root")
    root.page.context.add_init_script(AXE)
    root.go("/ui/admin")
    expect(root.page.locator("#notices")).to_contain_text("Notices to ops fail, the first time 5")
    expect(root.page.locator("#notices")).to_contain_text("given up after failing for a day: 12 (")
    check(root.page, "/ui/admin with failing channels")


def test_only_admins_see_failing_channels(visit: Visit) -> None:
    alice = visit("alice")
    alice.go("/ui/admin")
    expect(alice.page.locator("#notices")).to_be_attached()
    expect(alice.page.locator("#notices .notice")).to_have_count(0)
