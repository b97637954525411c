"""Channels of notices that fail: what failed, what still waits and what was given up, for admins."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from flask import Response

from cimaster.common.texts import printable
from cimaster.pages.frame.blueprint import pages
from cimaster.pages.frame.fragments import poll_response
from cimaster.pages.frame.visitors import current_visitor, fragment_tag, latest
from cimaster.pool.decisions import notice_delivery
from cimaster.repository.snapshots import Snapshot


@dataclass(frozen=True)
class ChannelLine:
    """A channel that fails, or that has given notices up since it worked last."""

    name: str
    failure: str
    failed_at: datetime | None
    next_try: datetime | None
    waiting: int
    given_up: int


def context(snapshot: Snapshot) -> dict[str, Any]:
    """Build the context of fragments/notices.html; only admins see any channel."""
    outbox = snapshot.pool.outbox
    failing = {name: state for name, state in outbox.state.channels.items() if state.failure or state.given_up}
    lines = tuple(
        ChannelLine(
            name=printable(name),
            failure=printable(state.failure),
            failed_at=state.failed_at,
            next_try=state.next_try,
            waiting=len(notice_delivery.pending(snapshot.pool, name)),
            given_up=state.given_up,
        )
        for name, state in sorted(failing.items())
    )
    shown = lines if current_visitor().is_admin else ()
    return {"failing_channels": shown, "notices_tag": fragment_tag(snapshot, shown)}


@pages.get("/ui/fragments/notices")
def notices_fragment() -> Response:
    """Answer a poll of the list."""
    shown = context(latest())
    return poll_response("fragments/notices.html", shown["notices_tag"], lambda: shown, triggers_refresh=False)
