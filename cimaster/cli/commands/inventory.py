"""Commands for admins: keep the inventory, and say how healthy a cluster is."""

from collections.abc import Callable
from typing import Any

import click

from cimaster.cli.command_line import ClientCommand, Session, cluster_argument, label_option, name_option, reason_option

_SECTION = "Admins"
_cluster = cluster_argument()


def _facts(region_required: bool) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Return what adds the options that describe one cluster."""

    def add(function: Callable[..., Any]) -> Callable[..., Any]:
        function = click.option("--note", help="A note about the cluster for people.")(function)
        function = label_option(function)
        function = click.option("--osimage", help="Image that its machines run.")(function)
        function = click.option("--purpose", help="What the cluster is for.")(function)
        return click.option("--region", required=region_required, help="Region of the cluster.")(function)

    return add


@click.command(cls=ClientCommand, section=_SECTION, example="cimaster add cluster-31 --region us-west --label gpu=yes")
@click.argument("cluster")
@name_option
@_facts(region_required=True)
@click.option("--creation", help="Creation that built it: its id, or the name of its ProwJob.")
@click.pass_obj
def add(session: Session, /, **values: object) -> None:
    """Add a cluster to the pool."""
    session.change("addcluster", **values)


@click.command(cls=ClientCommand, section=_SECTION, example='cimaster update cluster-31 --note "new switch"')
@_cluster
@name_option
@_facts(region_required=False)
@click.option("--clear", help="Facts to remove: osimage, label (all of them), note, separated by commas.")
@click.pass_obj
def update(session: Session, /, **values: object) -> None:
    """Change the facts about a cluster."""
    session.change("updatecluster", **values)


@click.command(cls=ClientCommand, section=_SECTION, example='cimaster disable cluster-31 --reason "a new switch"')
@_cluster
@name_option
@reason_option
@click.pass_obj
def disable(session: Session, /, **values: object) -> None:
    """Take a cluster out of lending."""
    session.change("disablecluster", **values)


@click.command(cls=ClientCommand, section=_SECTION, example="cimaster enable cluster-31")
@_cluster
@name_option
@reason_option
@click.pass_obj
def enable(session: Session, /, **values: object) -> None:
    """Put a disabled or quarantined cluster back into lending."""
    session.change("enablecluster", **values)


@click.command(
    cls=ClientCommand,
    section=_SECTION,
    example='cimaster health cluster-31 quarantined --reason "disk errors"\ncimaster health cluster-31 ok',
)
@_cluster
@click.argument("health", type=click.Choice(["ok", "suspect", "quarantined"]))
@name_option
@reason_option
@click.pass_obj
def health(session: Session, /, **values: object) -> None:
    """Set the health of a cluster; a quarantined one is not lent."""
    session.change("healthcluster", **values)


@click.command(cls=ClientCommand, section=_SECTION, example='cimaster delete cluster-31 --force --reason "gone"')
@_cluster
@name_option
@click.option("--force", is_flag=True, help="Also when the cluster is in use; needs a reason.")
@reason_option
@click.pass_obj
def delete(session: Session, /, **values: object) -> None:
    """Delete a cluster from the pool."""
    session.change("deletecluster", **values)
