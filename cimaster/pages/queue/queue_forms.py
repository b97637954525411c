"""The form about those who wait: take one out of the queue."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from cimaster.errors import NotCurrent
from cimaster.pages.frame.forms import Form
from cimaster.pages.frame.visitors import latest
from cimaster.pages.queue import queue_panel
from cimaster.repository.configmap_repository import Committed
from cimaster.web import endpoints, parameter_types
from cimaster.web.components import components
from cimaster.web.endpoint_parameters import NamedParameters


def _tells(values: Mapping[str, str], told: bool) -> dict[str, Any]:
    """Tell of the ticket as it is now."""
    identity = values.get("request_id", "")
    row = queue_panel.find(latest(), identity)
    if row is None and not told:
        raise NotCurrent(f"request {identity} is no longer waiting", request_id=identity)
    return {"row": row}


@dataclass(frozen=True, kw_only=True)
class CancelWait(NamedParameters):
    """Take a caller out of the queue."""

    request_id: str = parameter_types.REQUEST.required()


def _cancel(asked: CancelWait) -> Committed:
    return components().clusters.cancel_wait(asked.request_id, asked.name)


_CANCEL = endpoints.LEAVEQUEUE.taking(CancelWait)
FORMS = (
    Form(
        "cancel",
        _CANCEL,
        _cancel,
        "Remove from the queue:",
        "Remove from queue",
        "Removing…",
        "request_id",
        _tells,
        destroys=True,
    ),
)
