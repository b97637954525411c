"""What a visitor wants to see of the clusters: the filter, the order and how many rows, as the address says."""

from dataclasses import dataclass, replace
from urllib.parse import urlencode

from flask import request
from werkzeug.datastructures import MultiDict

from cimaster.common.texts import printable
from cimaster.pages.clusters.sorting import Order
from cimaster.pool.decisions.cluster_filter import Filter
from cimaster.web import endpoints, request_parameters

ROWS = 200  # at a time
_MOST_ROWS = 100_000
_FILTERS = ("state", "health", "purpose", "region", "label", "holder", "q")


@dataclass(frozen=True)
class View:
    """What the visitor wants to see: the filter, the order, how many rows, and the same as the query of a URL."""

    filter: Filter
    query: str
    values: tuple[tuple[str, str], ...] = ()
    order: Order = Order()
    rows: int = ROWS

    @property
    def of_any_state(self) -> Filter:
        """The filter without its state, for the counts per state."""
        return replace(self.filter, state="")

    def query_with(self, name: str, value: str) -> str:
        """Return the query with one filter replaced, or removed if the value is empty."""
        others = [pair for pair in self.values if pair[0] != name]
        return urlencode([*others, (name, value)] if value else others)

    def query_of(self, **filters: str) -> str:
        """Return the query with some filters replaced; the others and the order stay."""
        others = [pair for pair in self.values if pair[0] not in filters]
        return urlencode([*others, *filters.items()])

    @property
    def unfiltered(self) -> str:
        """Return the query without all filters; the order stays."""
        return urlencode([pair for pair in self.values if pair[0] not in _FILTERS])

    @property
    def label(self) -> str:
        """The first of the labels to filter by, as the URL has it: the form has one field for it."""
        return next((text for name, text in self.values if name == "label"), "")

    @property
    def chips(self) -> list[tuple[str, str, str]]:
        """Return the filters that have no field in the form: name, value, and the query without it."""
        in_fields = ("label", self.label)
        extra = [pair for pair in self.values if pair[0] in ("label", "holder") and pair != in_fields]
        return [(*each, urlencode([pair for pair in self.values if pair != each])) for each in extra]


def requested_view() -> View:
    """Read the filter from the URL. Forms send empty fields too; those are ignored."""
    filters = [(name, text) for name in _FILTERS for text in request.args.getlist(name) if printable(text)]
    given = request_parameters.read(endpoints.CLUSTERS, MultiDict(filters))
    order = Order.parse(request.args.get("sort", ""))
    rows = min(max(request.args.get("rows", ROWS, int), ROWS), _MOST_ROWS)
    values = (*filters, *[("sort", str(order))] * bool(order.column), *[("rows", str(rows))] * (rows > ROWS))
    return View(request_parameters.filter_of(given), urlencode(values), values, order, rows)
