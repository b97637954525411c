"""The command that lists the history of changes, all of it if wanted."""

import itertools
import json
from collections.abc import Iterable, Iterator

import click

from cimaster.cli.command_line import ClientCommand, Session
from cimaster.cli.listings import HISTORY, JSON, TABLE, WIDE, as_json
from cimaster.cli.terminal_text import neutral
from cimaster.cli.transport import Answer

_PAGE = 1000  # changes that --all reads at a time
_CSV, _JSON_LINES = "csv", "jsonl"


@click.command(cls=ClientCommand, section="Lists", example="cimaster history --cluster cluster-05 --since 2d")
@click.option("--cluster", help="Only changes of this cluster.")
@click.option("--person", help="Only what this person did, or whose hold it was.")
@click.option("--job", help="Only changes of this job.")
@click.option("--kind", help="Only changes of this kind: taken, finished, held, quarantined, …")
@click.option("--since", help="Only changes from this time on, or of the last 2h.")
@click.option("--until", help="Only changes before this time, or before 2h ago.")
@click.option("--limit", help="The largest number of changes to list.  [default: 100]")
@click.option("--all", "everything", is_flag=True, help="List all changes, newest first.")
@click.option("--format", "form", type=click.Choice((_CSV, _JSON_LINES)), help="CSV or JSON lines, for a file.")
@click.pass_obj
def history(session: Session, /, everything: bool, form: str | None, **filters: object) -> None:
    """List changes, newest first."""
    if everything and filters["limit"]:
        raise click.UsageError("--all lists all changes: leave out --limit.")
    if everything:
        filters["limit"] = _PAGE
    plain = form == _CSV or (form is None and session.output == TABLE)
    pages = session.client.pages(HISTORY.path, plain=plain, format=_CSV if form == _CSV else None, **filters)
    shown = pages if everything else itertools.islice(pages, 1)
    for text in _lines(shown) if plain else _records(shown, form or session.output):
        click.echo(text, nl=False)


def _lines(pages: Iterable[Answer]) -> Iterator[str]:
    """Yield each page as text; only the first one has the heads of the columns."""
    for number, page in enumerate(pages):
        lines = [neutral(line.rstrip("\r")) for line in page.text.split("\n") if line]
        yield "".join(f"{line}\n" for line in (lines[1:] if number else lines))


def _records(pages: Iterable[Answer], form: str) -> Iterator[str]:
    if form == _JSON_LINES:
        for page in pages:
            yield "".join(f"{json.dumps(record)}\n" for record in HISTORY.records(page.data))
        return
    read = [page.data for page in pages]
    data = {**read[-1], HISTORY.member: [record for page in read for record in HISTORY.records(page)]}
    if form == JSON:
        yield as_json(data)
    else:
        yield HISTORY.wide(data) if form == WIDE else HISTORY.names(data)
