"""The form about those who wait: take one out of the queue."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from cimaster import endpoints, web
from cimaster.errors import NotCurrent
from cimaster.inputs import Given
from cimaster.pages import queue_panel
from cimaster.pages.forms import Form
from cimaster.pages.visitors import latest
from cimaster.pool import cancel
from cimaster.repository import Committed


def _tells(values: Mapping[str, str], told: bool) -> dict[str, Any]:
    """Tell of the ticket as it is now."""
    identity = values.get("request_id", "")
    row = queue_panel.find(latest(), identity)
    if row is None and not told:
        raise NotCurrent(f"request {identity} does not wait any more", request_id=identity)
    return {"row": row}


def _cancel(given: Given) -> Committed:
    assert given.request
    return web.service().change(cancel, None, given.request.id, given.name)


_CANCEL = replace(endpoints.LEAVEQUEUE, parameters=(*endpoints.LEAVEQUEUE.parameters, endpoints.NAME))
FORMS = (
    Form(
        "cancel", _CANCEL, _cancel, "Cancel the wait of", "Cancel the wait", "Cancelling…", "request_id", _tells,
        destroys=True,
    ),
)  # fmt: skip
