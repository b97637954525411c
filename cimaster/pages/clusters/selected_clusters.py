"""What the forms about ticked clusters share: which clusters they list, what they send, and how they report results.

A form lists the clusters as they are when it is opened. The service acts on the names in the form, and not on those
that match the filter by then. It leaves out each cluster that has changed in a way that matters for the action.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from flask import request

from cimaster.common.parameters import ParameterType
from cimaster.common.texts import printable
from cimaster.errors import BadParameter, MissingParameter
from cimaster.pages.clusters import cluster_page, cluster_rows
from cimaster.pages.frame.forms import FormContext, PageUpdate, Result
from cimaster.pages.frame.visitors import current_visitor, latest
from cimaster.pool import parsers
from cimaster.pool.decisions import selection
from cimaster.pool.decisions.selection import SelectedCluster, SelectionAnswer
from cimaster.pool.records.cluster import Cluster
from cimaster.repository.configmap_repository import Committed
from cimaster.services.selection import carry_out
from cimaster.web import parameter_types
from cimaster.web.components import components
from cimaster.web.endpoint_parameters import NamedParameters

MOST = 200  # clusters in one request: as many as the table shows at a time
_TICKED, _LISTED = "selected", "item"


def _selected(text: str) -> SelectedCluster:
    """Read what a form sends for a cluster: its name, a blank, and the digest of what the form showed."""
    name, _, seen = text.rpartition(" ")
    return SelectedCluster(parsers.compared(name), seen)


@dataclass(frozen=True, kw_only=True)
class SelectedClusters(NamedParameters):
    """The clusters that a form listed, and the reason for what is done with them."""

    item: tuple[SelectedCluster, ...] = ParameterType(_selected, "a cluster that the form listed").repeated()
    reason: str = parameter_types.REASON.optional("")

    @property
    def clusters(self) -> tuple[SelectedCluster, ...]:
        """The clusters, each once; raises a refusal if there are none or too many."""
        found = tuple({item.name: item for item in self.item}.values())
        check_number(len(found))
        return found


def check_number(count: int) -> None:
    """Refuse no clusters, and too many."""
    if not count:
        raise MissingParameter("no cluster is selected: tick at least one in the table", parameter=_LISTED)
    if count > MOST:
        raise BadParameter(
            f"{count} clusters are selected, more than the limit of {MOST}: select fewer, and repeat the action",
            parameter=_LISTED,
        )


@dataclass(frozen=True)
class Listed:
    """A cluster in a form: as rows show it, what the form sends for it, and why the action leaves it as it is."""

    row: cluster_rows.Row
    value: str
    note: str


def _names() -> list[str]:
    """Return the names that were ticked in a table, or those in a form that is shown again."""
    listed = [text.rpartition(" ")[0] for text in request.form.getlist(_LISTED)]
    return list(dict.fromkeys(printable(name) for name in (*request.args.getlist(_TICKED), *listed)))


def listing(fields: Sequence[str], note: Callable[[Cluster], str]) -> FormContext:
    """Return what lists the selected clusters as they are now; `fields` are those that matter for the action."""

    def context(_values: Mapping[str, str], is_shown_again: bool) -> dict[str, Any]:
        names, snapshot, visitor, now = _names(), latest(), current_visitor(), components().clusters.now()
        if not is_shown_again:
            check_number(len(names))
        found = {name: cluster_page.find(snapshot, name) for name in names}
        clusters = [cluster for cluster in found.values() if cluster and not cluster.fault]
        return {
            "listed": [
                Listed(
                    cluster_rows.row(snapshot.pool, cluster, visitor, now),
                    f"{cluster.name} {selection.digest(cluster, fields)}",
                    note(cluster),
                )
                for cluster in clusters
            ],
            "missing": [name for name, cluster in found.items() if cluster is None or cluster.fault],
            "has_others_holds": any(c.hold and not c.hold.may_be_changed_by(visitor.name) for c in clusters),
        }

    return context


def no_note(_cluster: Cluster) -> str:
    """Note nothing about a cluster."""
    return ""


def no_update(_result: Result) -> PageUpdate | None:
    """Change nothing: the page polls the table as soon as it gets the answer."""
    return None


def report(committed: Committed) -> dict[str, Any]:
    """Return the results by cluster if one failed; otherwise a message says enough."""
    answer = committed.answer
    assert isinstance(answer, SelectionAnswer)
    failed = [result for result in answer.results if result.outcome == selection.FAILED]
    return {"failed": failed, "summary": answer.text.partition(":")[0]} if failed else {}


def carry_out_on(form: SelectedClusters, fields: Sequence[str], decision: selection.Decision) -> Committed:
    """Carry out an action on the clusters of a form, except those whose `fields` are no longer as it showed them."""
    return carry_out(components().clusters.repository, form.clusters, fields, decision)
