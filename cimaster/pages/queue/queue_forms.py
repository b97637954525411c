"""The form about the queue: remove a ticket."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from cimaster.errors import NotCurrent
from cimaster.pages.frame.form_views import serve
from cimaster.pages.frame.forms import Form, PageUpdate, Result
from cimaster.pages.frame.visitors import latest
from cimaster.pages.queue import queue_panel
from cimaster.pool.records.owners import shown
from cimaster.repository.configmap_repository import Committed
from cimaster.web import callers, endpoints, parameter_types
from cimaster.web.components import components
from cimaster.web.endpoint_parameters import NamedParameters


def _context(values: Mapping[str, str], is_shown_again: bool) -> dict[str, Any]:
    """Show the ticket as it is now."""
    identity = values.get("request_id", "")
    row = queue_panel.find(latest(), identity)
    if row is None and not is_shown_again:
        raise NotCurrent(f"request {shown(identity)} is no longer waiting", request_id=shown(identity))
    return {"row": row}


@dataclass(frozen=True, kw_only=True)
class CancelWait(NamedParameters):
    """Remove a ticket from the queue."""

    request_id: str = parameter_types.REQUEST.required()


def _cancel(form: CancelWait) -> Committed:
    return components().clusters.cancel_wait(form.request_id, form.name, callers.caller())


def _update(result: Result) -> PageUpdate:
    everything = result.page.startswith("/ui/queue")
    others = {} if everything else queue_panel.ON_DASHBOARD
    return PageUpdate("queue", "fragments/queue.html", queue_panel.context(result.snapshot, everything), others)


serve(
    Form(
        "/ui/cancel",
        endpoints.LEAVEQUEUE.taking(CancelWait),
        _cancel,
        title="Remove from the queue:",
        button="Remove from queue",
        busy_label="Removing…",
        subject="request_id",
        context=_context,
        update=_update,
        destroys=True,
    )
)
