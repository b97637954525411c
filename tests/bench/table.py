"""The figures as a table: for the terminal, and for the README."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.bench.fleet import Cost
from tests.bench.load import NOBODY_VACANT, Figures

README = Path(__file__).parent.parent.parent / "README.md"
_BEGIN, _END = "<!-- bench: begin -->", "<!-- bench: end -->"

HEADS = (
    "store", "service", "clusters", "callers", "pairs/s", "p50 ms", "p99 ms", "max ms", "none vacant", "refused",
    "doubled", "commits", "batch", "conflicts", "CPU ms/pair", "store CPU",
)  # fmt: skip


@dataclass(frozen=True)
class Row:
    """One measurement. Times are those of taking; CPU is of all replicas, and of API server and etcd, per pair."""

    store: str
    service: str
    clusters: int
    callers: str
    figures: Figures
    cost: Cost

    def cells(self) -> list[str]:
        """Return the row as texts in the order of HEADS."""
        figures, cost, pairs = self.figures, self.cost, max(self.figures.pairs, 1)
        refused = figures.refused.total() - figures.refused[NOBODY_VACANT]
        times = [figures.percentile(0.5), figures.percentile(0.99), max(figures.takes, default=float("nan"))]
        counted = cost.commits > 0
        return [
            self.store, self.service, f"{self.clusters:,}", self.callers,
            f"{figures.rate:.0f}" if figures.repeated_turns else "–", *(_milliseconds(time) for time in times),
            str(figures.refused[NOBODY_VACANT]), str(refused), str(figures.doubled),
            f"{cost.commits:.0f}" if counted else "–", f"{cost.carried / cost.commits:.1f}" if counted else "–",
            f"{cost.conflicts:.0f}" if counted else "–",
            f"{cost.service_cpu / pairs * 1000:.2f}", f"{cost.store_cpu / pairs * 1000:.2f}" if cost.store_cpu else "–",
        ]  # fmt: skip


def _milliseconds(seconds: float) -> str:
    return f"{seconds * 1000:,.1f}" if seconds < 0.1 else f"{seconds * 1000:,.0f}"


def markdown(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Return a table as Markdown, aligned so that it reads well in a terminal too."""
    widths = [max(len(row[column]) for row in (heads, *rows)) for column in range(len(heads))]
    text_columns = [not any(char.isdigit() for char in rows[0][column]) for column in range(len(heads))]
    rule = [
        "-" * width if text else "-" * (width - 1) + ":" for width, text in zip(widths, text_columns, strict=True)
    ]  # fmt: skip
    lines = [_line(heads, widths, text_columns), _line(rule, widths, text_columns)]
    return "\n".join([*lines, *(_line(row, widths, text_columns) for row in rows)]) + "\n"


def _line(cells: Sequence[str], widths: Sequence[int], text_columns: Sequence[bool]) -> str:
    padded = (
        cell.ljust(width) if text else cell.rjust(width)
        for cell, width, text in zip(cells, widths, text_columns, strict=True)
    )
    return f"| {' | '.join(padded)} |"


def into_readme(text: str) -> None:
    """Put the figures between the marks in the README."""
    before, _, rest = README.read_text("utf-8").partition(_BEGIN)
    _, mark, after = rest.partition(_END)
    if not mark:
        raise SystemExit(f"{README} has no place for the figures: {_BEGIN} ... {_END}")
    README.write_text(f"{before}{_BEGIN}\n{text}{_END}{after}", "utf-8")
