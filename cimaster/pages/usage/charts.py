"""Bar charts as numbers for SVG: the template only writes them down."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from cimaster.pool.usage.figures import STATES, Figures
from cimaster.pool.usage.report import Row

WIDTH, HEIGHT = 1000, 100  # of a drawing; the page stretches it
_GAP = 0.15  # of the width of a bar


@dataclass(frozen=True)
class Part:
    """A rectangle of a bar; `kind` is its colour."""

    kind: str
    x: float
    y: float
    width: float
    height: float


@dataclass(frozen=True)
class Chart:
    """All rectangles of a drawing, and what its full height means."""

    parts: list[Part]
    top: str


def of_states(labels: Sequence[str], rows: Iterable[Row]) -> Chart:
    """Return a bar for each label: the share of the time in each state."""
    found = {row.label: row.figures for row in rows}
    bars = [_shares(found.get(label, Figures())) for label in labels]
    return Chart(_stacked(bars), "100 %")


def of_takes(labels: Sequence[str], rows: Iterable[Row]) -> Chart:
    """Return a bar for each label: how many clusters were taken."""
    found = {row.label: row.figures.takes for row in rows}
    most = max(found.values(), default=0)
    bars = [[("takes", found.get(label, 0) / most if most else 0.0)] for label in labels]
    return Chart(_stacked(bars), str(most))


def length(seconds: int, most: int) -> float:
    """Return the width of a bar that lies beside its name."""
    return round(WIDTH * seconds / most, 1) if most else 0.0


def _shares(figures: Figures) -> list[tuple[str, float]]:
    total = figures.total or 1
    return [(state, figures.seconds.get(state, 0) / total) for state in STATES]


def _stacked(bars: Sequence[Sequence[tuple[str, float]]]) -> list[Part]:
    step = WIDTH / max(len(bars), 1)
    parts = []
    for number, bar in enumerate(bars):
        y = float(HEIGHT)
        for kind, share in bar:
            height = share * HEIGHT
            y -= height
            if height > 0:
                x, width = step * (number + _GAP / 2), step * (1 - _GAP)
                parts.append(Part(kind, round(x, 2), round(y, 2), round(width, 2), round(height, 2)))
    return parts
