"""Commands that only read: clusters, purposes, policies, the queue and usage."""

import sys
import time
from urllib.parse import quote

import click

from cimaster.cli.command_line import ClientCommand, Duration, Session, cluster_argument
from cimaster.cli.listings import (
    CLUSTERS,
    JSON,
    NAME,
    POLICIES,
    PURPOSES,
    QUEUE,
    USAGE,
    USAGE_BREAKDOWNS,
    as_json,
)
from cimaster.cli.terminal_text import neutral, neutral_lines

_SECTION = "Lists"
_CLEAR_SCREEN = "\x1b[H\x1b[2J"


@click.command("list", cls=ClientCommand, section=_SECTION, example="cimaster list --state vacant -o wide")
@click.option("--state", help="Only clusters in this state: vacant, occupied, held, quarantined, …")
@click.option("--health", help="Only clusters of this health: ok, suspect or quarantined.")
@click.option("--purpose", help="Only clusters for this purpose.")
@click.option("--region", help="Only clusters in this region.")
@click.option("--label", multiple=True, metavar="KEY=VALUE", help="Only clusters with this label; may be repeated.")
@click.option("--holder", help="Only clusters that this person holds or whose job they triggered.")
@click.option("--query", "q", help="Words to find in names, people, jobs, labels, notes and reasons.")
@click.option("--after", help="Not older than this commit.")
@click.option("--watch", is_flag=True, help="List again whenever something has changed, until Ctrl-C.")
@click.option("--interval", type=Duration(), default="2s", show_default=True, help="Time between looks of --watch.")
@click.pass_obj
def list_clusters(session: Session, /, watch: bool, interval: float, **filters: object) -> None:
    """List clusters."""
    text = session.text(CLUSTERS, **filters)
    click.echo(text, nl=False)
    while watch:
        time.sleep(interval)
        newest = session.text(CLUSTERS, **filters)
        if newest != text:
            text = newest
            click.echo((_CLEAR_SCREEN if sys.stdout.isatty() else "\n") + text, nl=False)


@click.command(cls=ClientCommand, section=_SECTION, example="cimaster show cluster-05")
@cluster_argument()
@click.pass_obj
def show(session: Session, /, cluster: str) -> None:
    """Show one cluster."""
    path = f"/clusters/{quote(cluster, safe='')}"
    if session.output == JSON:
        click.echo(as_json(session.client.read(path)), nl=False)
    elif session.output == NAME:
        click.echo(neutral(str(session.client.read(path).get("name", ""))))
    else:
        click.echo(neutral_lines(session.client.read_text(path)), nl=False)


@click.command(cls=ClientCommand, section=_SECTION, example="cimaster queue")
@click.pass_obj
def queue(session: Session, /) -> None:
    """List the callers that wait, in the order in which they are served."""
    click.echo(session.text(QUEUE), nl=False)


@click.command(cls=ClientCommand, section=_SECTION, example="cimaster usage --by job --since 30d")
@click.option("--by", type=click.Choice(USAGE_BREAKDOWNS), help="What each line is about.  [default: day]")
@click.option("--since", help="From this time on, or of the last 30d.  [default: the last 7 days]")
@click.option("--until", help="Until this time, or until 7d ago.")
@click.option("--purpose", help="Only clusters for this purpose.")
@click.option("--region", help="Only clusters in this region.")
@click.option("--format", "form", type=click.Choice(("csv",)), help="CSV, for a file.")
@click.pass_obj
def usage(session: Session, /, form: str | None, **filters: object) -> None:
    """Show what the clusters were used for: hours, takes, waits and failures."""
    text = session.csv(USAGE, **filters) if form else session.text(USAGE, **filters)
    click.echo(text, nl=False)


@click.command(cls=ClientCommand, section=_SECTION, example="cimaster purposes -o wide")
@click.pass_obj
def purposes(session: Session, /) -> None:
    """List the purposes, and how the clusters of each are checked and cleaned."""
    click.echo(session.text(PURPOSES), nl=False)


@click.command(cls=ClientCommand, section=_SECTION, example="cimaster policies --purpose tess-ci")
@click.option("--purpose", help="Only the policy of this purpose.")
@click.pass_obj
def policies(session: Session, /, **filters: object) -> None:
    """List the policies that keep clusters vacant, and what each does at the moment."""
    click.echo(session.text(POLICIES, **filters), nl=False)
