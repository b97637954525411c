"""The figures as tables for docs/performance.md: all of them, and the most important ones."""

from collections.abc import Sequence

from tests.bench.rounds import Series

HEADS = (
    "store",
    "service",
    "callers",
    "pairs/s",
    "p50 ms",
    "p99 ms",
    "slowest ms",
    "none vacant",
    "refused",
    "doubled",
    "batch",
    "conflicts",
    "CPU ms/pair",
    "store CPU",
)


def cells(series: Series) -> list[str]:
    """Return a row as texts in the order of HEADS. CPU is of all replicas, and of API server and etcd, per pair."""
    cost, pairs = series.cost, max(series.pairs, 1)
    counted = cost.commits > 0
    return [
        series.service.running.store.name,
        series.service.name,
        series.kind.name,
        f"{series.rate:.0f}" if series.kind.is_loop else "–",
        *(_milliseconds(time) for time in (series.percentile(0.5), series.percentile(0.99), series.slowest)),
        str(series.none_vacant),
        str(series.refused),
        str(series.doubled),
        f"{cost.carried / cost.commits:.1f}" if counted else "–",
        f"{cost.conflicts:.0f}" if counted else "–",
        f"{cost.service_cpu / pairs * 1000:.2f}",
        f"{cost.store_cpu / pairs * 1000:.2f}" if cost.store_cpu else "–",
    ]


def whole(every: Sequence[Series], also: Sequence[Sequence[str]]) -> str:
    """Return all figures."""
    return "\n".join([markdown(HEADS, [cells(series) for series in every]), markdown(("also", "figure"), also)])


def brief(every: Sequence[Series], names: Sequence[str], loads: Sequence[str]) -> str:
    """Return p50 and p99 of taking, or pairs per second in a loop: a line for each load, a column for each service."""
    found = {(series.kind.name, series.service.name): series for series in every}
    rows = [[load, *(_cell(found[load, name]) for name in names)] for load in loads]
    return markdown(("callers", *names), rows)


def _cell(series: Series) -> str:
    times = f"{_milliseconds(series.percentile(0.5))} / {_milliseconds(series.percentile(0.99))} ms"
    failed = f", {series.refused} refused" if series.refused else ""
    return (f"{series.rate:.0f}/s, {times}" if series.kind.is_loop else times) + failed


def _milliseconds(seconds: float) -> str:
    return f"{seconds * 1000:,.1f}" if seconds < 0.1 else f"{seconds * 1000:,.0f}"


def markdown(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Return a table as Markdown, aligned so that it reads well in a terminal too."""
    widths = [max(len(row[column]) for row in (heads, *rows)) for column in range(len(heads))]
    text_columns = [not rows[0][column][:1].isdigit() or column == 0 for column in range(len(heads))]
    rule = ["-" * width if text else "-" * (width - 1) + ":" for width, text in zip(widths, text_columns, strict=True)]
    lines = [_line(heads, widths, text_columns), _line(rule, widths, text_columns)]
    return "\n".join([*lines, *(_line(row, widths, text_columns) for row in rows)]) + "\n"


def _line(cells: Sequence[str], widths: Sequence[int], text_columns: Sequence[bool]) -> str:
    padded = (
        cell.ljust(width) if text else cell.rjust(width)
        for cell, width, text in zip(cells, widths, text_columns, strict=True)
    )
    return f"| {' | '.join(padded)} |"
