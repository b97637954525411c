"""The form about those who wait: take one out of the queue."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from cimaster.errors import NotCurrent
from cimaster.pages.frame.forms import Form
from cimaster.pages.frame.visitors import latest
from cimaster.pages.queue import queue_panel
from cimaster.pool import cancel
from cimaster.repository.configmap_repository import Committed
from cimaster.web import endpoints
from cimaster.web.components import components
from cimaster.web.request_parameters import Given


def _tells(values: Mapping[str, str], told: bool) -> dict[str, Any]:
    """Tell of the ticket as it is now."""
    identity = values.get("request_id", "")
    row = queue_panel.find(latest(), identity)
    if row is None and not told:
        raise NotCurrent(f"request {identity} does not wait any more", request_id=identity)
    return {"row": row}


def _cancel(given: Given) -> Committed:
    assert given.request
    return components().clusters.change(cancel, None, given.request.id, given.name)


_CANCEL = replace(endpoints.LEAVEQUEUE, parameters=(*endpoints.LEAVEQUEUE.parameters, endpoints.NAME))
FORMS = (
    Form(
        "cancel",
        _CANCEL,
        _cancel,
        "Cancel the wait of",
        "Cancel the wait",
        "Cancelling…",
        "request_id",
        _tells,
        destroys=True,
    ),
)
