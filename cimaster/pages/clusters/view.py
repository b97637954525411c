"""What a visitor wants to see of the clusters: on which page, the filter, the order and how many rows."""

from dataclasses import dataclass, replace
from urllib.parse import urlencode

from flask import request, url_for
from werkzeug.datastructures import MultiDict

from cimaster.common.texts import printable
from cimaster.pages.clusters import cluster_rows, sorting
from cimaster.pages.clusters.cluster_rows import RowLayout
from cimaster.pages.clusters.sorting import Column, Order
from cimaster.pool.decisions.cluster_filter import Filter
from cimaster.pool.records.cluster import Cluster
from cimaster.pool.records.pool import Pool
from cimaster.web import endpoints, request_parameters

ROWS = 200  # at a time
_MOST_ROWS = 100_000
_FILTERS = ("state", "health", "purpose", "region", "label", "holder", "q")


@dataclass(frozen=True)
class TablePage:
    """A page with the table of clusters: its endpoint and that of its live table, its columns and its rows.

    `parts` are the elements beside the table that follow the filter. Without `shows_broken`, the page has broken
    records in a place of their own.
    """

    endpoint: str
    live_endpoint: str
    columns: tuple[Column, ...]
    layout: RowLayout
    parts: str
    shows_broken: bool


DASHBOARD = TablePage(
    "pages.dashboard",
    "pages.clusters_fragment",
    sorting.OF_DASHBOARD,
    cluster_rows.ON_DASHBOARD,
    "#summary,#shortages,#chips,#count",
    shows_broken=True,
)
INVENTORY = TablePage(
    "pages.inventory_page",
    "pages.inventory_fragment",
    sorting.OF_INVENTORY,
    cluster_rows.IN_INVENTORY,
    "#chips,#count,#exports",
    shows_broken=False,
)


@dataclass(frozen=True)
class View:
    """What the visitor wants to see: the filter, the order, how many rows, and the same as the query of a URL."""

    filter: Filter
    query: str
    values: tuple[tuple[str, str], ...] = ()
    order: Order = Order()
    rows: int = ROWS
    page: TablePage = DASHBOARD

    def of(self, pool: Pool) -> list[Cluster]:
        """Return the clusters that match the filter, in the order of the pool."""
        return [cluster for cluster in self.filter.of(pool) if self.page.shows_broken or not cluster.fault]

    def total(self, pool: Pool) -> int:
        """Return how many clusters match without any filter."""
        return len(pool.clusters) if self.page.shows_broken else len(pool.positions)

    def url(self, query: str) -> str:
        """Return the address of the page with another query."""
        return url_for(self.page.endpoint) + (f"?{query}" if query else "")

    @property
    def live_url(self) -> str:
        """The address from which the table of the page is refreshed."""
        return url_for(self.page.live_endpoint) + (f"?{self.query}" if self.query else "")

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


def requested_view(page: TablePage = DASHBOARD) -> View:
    """Read the filter from the URL. Forms send empty fields too; those are ignored."""
    filters = [(name, text) for name in _FILTERS for text in request.args.getlist(name) if printable(text)]
    given = request_parameters.read(endpoints.CLUSTERS, MultiDict(filters))
    order = Order.parse(request.args.get("sort", ""))
    rows = min(max(request.args.get("rows", ROWS, int), ROWS), _MOST_ROWS)
    values = (*filters, *[("sort", str(order))] * bool(order.column), *[("rows", str(rows))] * (rows > ROWS))
    return View(request_parameters.filter_of(given), urlencode(values), values, order, rows, page)
