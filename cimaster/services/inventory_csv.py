"""An inventory as CSV: a line of headings, then a line for each cluster. Labels are `gpu=yes zone=a`."""

import csv
import difflib
import io
import json
from collections.abc import Iterator, Sequence
from typing import Any

from cimaster.common import csv_cells
from cimaster.common.texts import brief
from cimaster.errors import BadBody
from cimaster.pool.decisions.inventory_plan import FACTS

FIELDS = ("name", *FACTS)
_DELIMITERS = (",", ";", "\t")  # spreadsheets choose one by the language of the user


def is_csv(text: str) -> bool:
    """Say whether a text begins with a line of headings."""
    first = _first_line(text)
    cells = {cell.strip(' "').lower() for cell in first.split(_delimiter(first))}
    return not cells.isdisjoint(FIELDS) and not first.startswith("#")  # a comment in YAML


def read(text: str) -> Iterator[tuple[int, dict[str, Any]]]:
    """Yield the number of each line and its facts; BadBody says which line is wrong, and how to correct it.

    An empty cell is an empty fact; a fact without a column is left out.
    """
    rows = csv.reader(
        io.StringIO(text.lstrip("\r\n"), newline=""), delimiter=_delimiter(_first_line(text)), strict=True
    )
    try:
        heads = _headings(next(rows))
        for row in rows:
            if any(cell.strip() for cell in row):
                yield rows.line_num, _facts(rows.line_num, heads, row)
    except csv.Error as error:
        raise BadBody(f"line {rows.line_num} of the file is not valid CSV ({error}): correct its quotes") from None


def _first_line(text: str) -> str:
    return text.lstrip("\r\n").partition("\n")[0].strip("\r")


def _delimiter(line: str) -> str:
    return max(_DELIMITERS, key=line.count)


def _headings(row: Sequence[str]) -> list[str]:
    heads = [cell.strip().lower() for cell in row]
    for head in heads:
        if head not in FIELDS:
            near = difflib.get_close_matches(head, FIELDS, n=1, cutoff=0.5)
            remedy = f"did you mean {near[0]}?" if near else f"expected {', '.join(FIELDS)}"
            raise BadBody(f"the first line of the file has an unknown column {brief(head) or 'without name'}: {remedy}")
        if heads.count(head) > 1:
            raise BadBody(f"the first line of the file names column {head} twice: keep only one of them")
    if "name" not in heads:
        raise BadBody("the first line of the file has no column name: add one with the names of the clusters")
    return heads


def _facts(number: int, heads: Sequence[str], row: Sequence[str]) -> dict[str, Any]:
    if len(row) != len(heads):
        raise BadBody(
            f"line {number} of the file has {len(row)} cells: expected {len(heads)}, as in the first line; "
            "put texts that contain a separator in quotes"
        )
    facts: dict[str, Any] = {head: csv_cells.original(cell) for head, cell in zip(heads, row, strict=True)}
    if "labels" in facts:
        facts["labels"] = _labels(number, facts["labels"])
    return facts


def _labels(number: int, text: str) -> dict[str, Any]:
    """Read `gpu=yes zone=a`, or the JSON that `write` uses for labels with unusual characters."""
    try:
        pairs = _json_pairs(text) if text.strip().startswith("{") else [pair.split("=", 1) for pair in text.split()]
        labels = dict(pairs)
    except (ValueError, RecursionError):
        raise BadBody(
            f"line {number} of the file has labels {brief(text)}: expected key=value pairs separated by blanks"
        ) from None
    if len(labels) < len(pairs):
        raise BadBody(f"line {number} of the file has two values for one label ({brief(text)}): keep one of them")
    return labels


def _json_pairs(text: str) -> list[tuple[str, Any]]:
    pairs: list[tuple[str, Any]] = json.loads(text, object_pairs_hook=list)
    return pairs


def write(entries: Sequence[dict[str, Any]]) -> str:
    """Return entries with all facts as CSV."""
    table = io.StringIO()
    writer = csv.writer(table)
    writer.writerow(FIELDS)
    for entry in entries:
        texts = {**entry, "labels": _labels_text(entry["labels"])}
        writer.writerow([csv_cells.neutralized(texts[field]) for field in FIELDS])
    return table.getvalue()


def _labels_text(labels: dict[str, str]) -> str:
    text = " ".join(f"{key}={value}" for key, value in labels.items())
    is_readable = not text.startswith("{") and text.split() == [f"{key}={value}" for key, value in labels.items()]
    is_readable = is_readable and not any("=" in key for key in labels)
    return text if is_readable else json.dumps(labels, ensure_ascii=False)
