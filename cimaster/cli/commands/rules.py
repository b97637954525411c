"""Commands for admins: the rules for the clusters of a purpose, and the policy that keeps some of them vacant."""

import click

from cimaster.cli.command_line import ClientCommand, Session, name_option

_SECTION = "Admins"
_purpose = click.argument("purpose")


@click.command(
    "set-purpose",
    cls=ClientCommand,
    section=_SECTION,
    example="cimaster set-purpose tess-ci --check ping --every 10m --clean wipe\n"
    "cimaster set-purpose tess-ci --after-expiry quarantine",
)
@_purpose
@name_option
@click.option("--check", help="Check of vacant clusters, as the operator named it; `none` removes it.")
@click.option("--every", metavar="DURATION", help="Time between two checks of a cluster.")
@click.option("--clean", help="Clean after each use, as the operator named it; `none` removes it.")
@click.option(
    "--after-expiry",
    type=click.Choice(["default", "vacant", "clean", "quarantine"]),
    help="What happens after a lease ran out; `default`: the same as after a finish.",
)
@click.pass_obj
def set_purpose(session: Session, /, **values: object) -> None:
    """Choose how the clusters of a purpose are checked and cleaned.

    Rules that are not given stay as they are.
    """
    session.change("setpurpose", **values)


@click.command(
    "set-policy",
    cls=ClientCommand,
    section=_SECTION,
    example='cimaster set-policy tess-ci --min-vacant 3 --max-total 20 --hours "Mon-Fri 07:00-19:00 Europe/Berlin"',
)
@_purpose
@name_option
@click.option("--min-vacant", metavar="N", help="Create clusters while fewer are vacant or being created.")
@click.option("--max-total", metavar="N", help="Never have more clusters of the purpose than this.")
@click.option("--max-creating", metavar="N", help="The largest number being created at a time.")
@click.option("--cooldown", metavar="DURATION", help="Time between two rounds, and at least after a failure.")
@click.option("--hours", help="When to create; `always` removes the restriction.")
@click.option("--branch", help="Branch that the job runs on.")
@click.option("--job", help="Job that creates the clusters.")
@click.pass_obj
def set_policy(session: Session, /, **values: object) -> None:
    """Keep a minimum of clusters of a purpose vacant.

    Terms that are not given stay as they are.
    """
    session.change("setpolicy", **values)


@click.command("remove-policy", cls=ClientCommand, section=_SECTION, example="cimaster remove-policy tess-ci")
@_purpose
@name_option
@click.pass_obj
def remove_policy(session: Session, /, **values: object) -> None:
    """Stop keeping a minimum of a purpose vacant."""
    session.change("removepolicy", **values)
