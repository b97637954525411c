"""Cells of CSV files: texts that a spreadsheet would take for a formula are written with an apostrophe before them."""

_BEGINS_FORMULA = ("=", "+", "-", "@", "\t", "\r")


def neutralized(text: str) -> str:
    """Return a text that is no formula; `original` reverses it exactly."""
    return f"'{text}" if text.lstrip("'").startswith(_BEGINS_FORMULA) else text


def original(cell: str) -> str:
    """Return the text that was written as a cell."""
    return cell[1:] if cell.startswith("'") and cell.lstrip("'").startswith(_BEGINS_FORMULA) else cell
