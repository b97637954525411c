"""Commands for people: hold a cluster, and have one created."""

import click

from cimaster.cli.command_line import ClientCommand, Session, cluster_argument, criteria, name_option, reason_option
from cimaster.cli.listings import CREATIONS

_SECTION = "People"
_cluster = cluster_argument()


@click.command(
    cls=ClientCommand,
    section=_SECTION,
    example='cimaster hold cluster-05 --desc "disk errors" --with alice,carol\n'
    "cimaster hold any --purpose tess-ci --wait 2d --duration 4h",
)
@_cluster
@name_option
@criteria
@click.option("--desc", help="What the hold is for.")
@click.option("--duration", metavar="DURATION", help="How long to hold, from now.  [default: 6h]")
@click.option("--until", metavar="TIME", help="When the hold ends: a time, or 17:30 for the next one in UTC.")
@click.option("--with", metavar="PEOPLE", help="People who may extend and release the hold too: alice,carol.")
@click.option("--to", metavar="PERSON", help="Hold it for this person, as an admin.")
@click.option("--wait", metavar="DURATION", help="If it is not free, hold it when it is your turn, within this time.")
@click.option("--expect", metavar="STATE", help="Refuse unless the cluster is in this state, such as vacant.")
@click.option("--force", is_flag=True, help="Take over the hold of another person, as an admin; needs a reason.")
@reason_option
@click.pass_obj
def hold(session: Session, /, **values: object) -> None:
    """Hold a cluster.

    CLUSTER is its name, or `any` for one that the options describe. With --wait the command ends immediately; `cimaster
    queue` shows your place, and `cimaster leave` gives it up.
    """
    session.change("holdcluster", **values)


@click.command(cls=ClientCommand, section=_SECTION, example="cimaster extend cluster-05 4h")
@_cluster
@click.argument("duration")
@name_option
@click.pass_obj
def extend(session: Session, /, **values: object) -> None:
    """Move the end of your hold.

    It then ends after DURATION, counted from now. If you do not hold the cluster yet, you hold it from now on.
    """
    session.change("holdcluster", **values)


@click.command(cls=ClientCommand, section=_SECTION, example="cimaster release cluster-05")
@_cluster
@name_option
@reason_option
@click.pass_obj
def release(session: Session, /, **values: object) -> None:
    """End a hold."""
    session.change("releasecluster", **values)


@click.command("hand-over", cls=ClientCommand, section=_SECTION, example="cimaster hand-over cluster-05 bob")
@_cluster
@click.argument("to", metavar="PERSON")
@name_option
@reason_option
@click.pass_obj
def hand_over(session: Session, /, **values: object) -> None:
    """Hand your hold over to PERSON, with no job in between."""
    session.change("releasecluster", **values)


@click.command(cls=ClientCommand, section=_SECTION, example="cimaster create --purpose tess-ci --branch master")
@name_option
@click.option("--branch", help="Branch that the job runs on.  [default: master]")
@click.option("--job", help="Job that creates the cluster.")
@click.option("--purpose", help="What the cluster is for.")
@click.option("--force", is_flag=True, help="Also when the same is being created already.")
@click.pass_obj
def create(session: Session, /, name: str | None, **values: object) -> None:
    """Have another cluster created."""
    session.change("createcluster", user=name, **values)


@click.command(cls=ClientCommand, section=_SECTION, example="cimaster creations --state failed")
@click.option("--state", type=click.Choice(["requested", "running", "ready", "failed"]), help="In this state.")
@click.option("--creation", help="Only this one: its id, or the name of its ProwJob.")
@click.option("--retry", metavar="ID", help="Try a failed creation again.")
@click.option("--dismiss", metavar="ID", help="Take a creation off the list.")
@name_option
@click.pass_obj
def creations(
    session: Session,
    /,
    state: str | None,
    creation: str | None,
    retry: str | None,
    dismiss: str | None,
    name: str | None,
) -> None:
    """List clusters that are being created, or try one again."""
    if retry or dismiss:
        session.change("creations", retry=retry, dismiss=dismiss, name=name)
    else:
        click.echo(session.text(CREATIONS, state=state, creation=creation), nl=False)
