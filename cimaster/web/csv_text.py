"""Tables as CSV (RFC 4180), for spreadsheets."""

import csv
import io
from collections.abc import Iterable, Sequence

from cimaster.common import csv_cells


def csv_text(heads: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """Return a table with a line of heads. A spreadsheet takes none of its texts for a formula."""
    table = io.StringIO()
    writer = csv.writer(table)
    writer.writerow(heads)
    writer.writerows([_harmless(cell) for cell in row] for row in rows)
    return table.getvalue()


def _harmless(cell: object) -> object:
    """Return a cell that is no formula; numbers stay numbers."""
    return csv_cells.neutralized(cell) if isinstance(cell, str) else cell
