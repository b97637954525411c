"""The client's command line, with all its commands."""

import click

from cimaster.cli.command_line import ClientGroup
from cimaster.cli.commands import history, inventory, jobs, people, reads, rules
from cimaster.cli.errors import ClientError
from cimaster.cli.progress import say

INTERRUPTED = 130

program = ClientGroup(
    "cimaster",
    help="Lends a pool of shared CI test clusters. Exit status: 0 done, 1 refused, 2 wrong use, 3 service unreachable, "
    "4 no cluster vacant.",
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
click.version_option(package_name="cimaster", message="%(prog)s %(version)s")(program)
for command in (
    jobs.run,
    jobs.take,
    jobs.finish,
    jobs.renew,
    jobs.leave,
    people.hold,
    people.extend,
    people.release,
    people.hand_over,
    people.create,
    people.creations,
    reads.list_clusters,
    reads.show,
    reads.queue,
    history.history,
    reads.usage,
    reads.purposes,
    reads.policies,
    inventory.add,
    inventory.update,
    inventory.disable,
    inventory.enable,
    inventory.health,
    inventory.delete,
    rules.set_purpose,
    rules.set_policy,
    rules.remove_policy,
):
    program.add_command(command)


def main(arguments: list[str]) -> int:
    """Run a command; return its exit status."""
    try:
        status = program.main(arguments, "cimaster", standalone_mode=False)
    except click.ClickException as error:
        error.show()
        return error.exit_code
    except click.Abort:
        return INTERRUPTED
    except ClientError as error:
        say(str(error))
        return error.exit_status
    return status if isinstance(status, int) else 0
