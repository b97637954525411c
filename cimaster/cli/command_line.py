"""What all commands share: the options for the service and the output, examples in their help, and their groups."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import click
from click.core import ParameterSource

from cimaster.cli import durations, settings
from cimaster.cli.client import Client
from cimaster.cli.errors import ClientError
from cimaster.cli.listings import CLUSTERS, FORMATS, JSON, NAME, TABLE, WIDE, Listing, as_json
from cimaster.cli.progress import say
from cimaster.cli.terminal_text import neutral, neutral_lines
from cimaster.cli.transport import Answer

SHORT_TIMEOUT, LONG_TIMEOUT = "30s", "5m"
Decorator = Callable[[Callable[..., Any]], Callable[..., Any]]


class Duration(click.ParamType[float]):
    """A duration such as `90s` or `1h30m`, in seconds."""

    name = "duration"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        """Return the seconds; a wrong form is a wrong use of the command."""
        if isinstance(value, float):
            return value
        length = durations.seconds(str(value))
        if length is None:
            self.fail(f"{value!r} is no duration: write 90s, 30m or 1h30m.", param, ctx)
        return length


@dataclass(frozen=True)
class Session:
    """One use of a command: the client, and the format of what it prints."""

    client: Client
    output: str = TABLE

    def change(self, verb: str, **values: object) -> None:
        """Call an endpoint that changes something, and print what was done."""
        self.show(self.client.change(verb, **values))

    def show(self, answer: Answer) -> None:
        """Print what was done: the sentence, the name of the cluster or of the ticket, or all of it."""
        if self.output == JSON:
            click.echo(as_json(answer.data), nl=False)
        elif self.output == NAME:
            click.echo(neutral(str(answer.data.get("name") or answer.data.get("ticket", ""))))
        else:
            click.echo(neutral_lines(answer.message), nl=False)

    def text(self, listing: Listing, **filters: object) -> str:
        """Return a list in the chosen format; the plain table is the service's own."""
        if self.output == TABLE:
            return neutral_lines(self.client.read_text(listing.path, **filters))
        data = self.client.read(listing.path, **filters)
        if self.output == WIDE:
            return listing.wide(data)
        return as_json(data) if self.output == JSON else listing.names(data)

    def csv(self, listing: Listing, **filters: object) -> str:
        """Return a list as CSV, with the line ends of this machine's files."""
        return neutral_lines(self.client.read_text(listing.path, format="csv", **filters).replace("\r\n", "\n"))


class ClientCommand(click.Command):
    """A command that talks to the service; `example` ends its help, `timeout` is the default of `--timeout`."""

    def __init__(
        self, *args: Any, section: str, example: str, timeout: str = SHORT_TIMEOUT, prints: bool = True, **attrs: Any
    ) -> None:
        super().__init__(*args, **attrs)
        self.section = section
        self.example = example
        self.params += _service_options(timeout) + (_output_options() if prints else [])

    def format_epilog(self, _ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the example."""
        with formatter.section("Example"):
            for line in self.example.splitlines():
                formatter.write(f"  {line}\n")

    def invoke(self, ctx: click.Context) -> Any:
        """Make the session, and run the command with it."""
        server, timeout = ctx.params.pop("server"), ctx.params.pop("timeout")
        token_file, insecure_token = ctx.params.pop("token_file"), ctx.params.pop("insecure_token")
        output = ctx.params.pop("output", TABLE)
        if ctx.params.pop("json", False):
            output = JSON
        if token_file and ctx.get_parameter_source("name") is ParameterSource.DEFAULT:
            ctx.params["name"] = None  # the token says who the caller is, which need not be its login name
        ctx.obj = Session(Client(server, timeout, say, token_file, insecure_token), output)
        return super().invoke(ctx)


class ClientGroup(click.Group):
    """The program: its help lists the commands by the people they are for."""

    def format_commands(self, _ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the sections of commands, and last the server's own."""
        sections: dict[str, list[tuple[str, str]]] = {}
        for name, command in self.commands.items():
            section = command.section if isinstance(command, ClientCommand) else "Other"
            sections.setdefault(section, []).append((name, command.get_short_help_str(80)))
        for section, rows in sections.items():
            with formatter.section(section):
                formatter.write_dl(rows)
        with formatter.section("Server (cimaster COMMAND --help describes them)"):
            formatter.write_dl(
                [
                    ("serve, import, export, drain", "Run the service, and move its data."),
                    ("token", "Make a token for a caller, and its line for the service's token file."),
                ]
            )


def clusters_that_begin_with(context: click.Context, _parameter: click.Parameter, begin: str) -> list[str]:
    """Return the names of clusters for the shell to complete; none if the service does not answer."""
    chosen = context.params
    try:
        client = Client(
            chosen.get("server") or settings.DEFAULT_SERVER,
            timeout=0,
            token_file=chosen.get("token_file"),
            insecure_token=bool(chosen.get("insecure_token")),
        )
        names = CLUSTERS.names(client.read("/clusters")).splitlines()
    except ClientError:
        return []
    return [name for name in names if name.startswith(begin)]


def cluster_argument(envvar: str | None = None) -> Decorator:
    """Return what adds the argument CLUSTER, whose names the shell completes."""
    return click.argument("cluster", envvar=envvar, shell_complete=clusters_that_begin_with)


def criteria(function: Callable[..., Any]) -> Callable[..., Any]:
    """Add the options that describe a kind of cluster."""
    function = label_option(function)
    function = click.option("--region", help="Region of the cluster.")(function)
    function = click.option("--osimage", help="Image that its machines run; required for purpose tnet-ci.")(function)
    return click.option("--purpose", help="What the cluster is for.")(function)


name_option = click.option(
    "--name",
    envvar=settings.NAME,
    default=settings.login_name,
    show_default="the token's, or else your login name",
    show_envvar=True,
    help="Your name.",
)
label_option = click.option("--label", multiple=True, metavar="KEY=VALUE", help="A label; may be repeated.")
reason_option = click.option("--reason", help="The reason; it is kept in the history.")


def _service_options(timeout: str) -> list[click.Parameter]:
    return [
        click.Option(
            ["--server"],
            envvar=settings.SERVER,
            default=settings.DEFAULT_SERVER,
            show_default=True,
            show_envvar=True,
            help="Address of the service.",
        ),
        click.Option(
            ["--timeout"],
            type=Duration(),
            default=timeout,
            show_default=True,
            help="How long to repeat a request that the service cannot answer.",
        ),
        click.Option(
            ["--token-file"],
            envvar=settings.TOKEN_FILE,
            show_envvar=True,
            metavar="FILE",
            help="File with your token, which is read for each request.",
        ),
        click.Option(
            ["--insecure-token"],
            is_flag=True,
            envvar=settings.INSECURE_TOKEN,
            show_envvar=True,
            help="Send the token over plain http, too, where others on the network can read it.",
        ),
    ]


def _output_options() -> list[click.Parameter]:
    return [
        click.Option(
            ["-o", "--output"],
            type=click.Choice(FORMATS),
            default=TABLE,
            show_default=True,
            help="Format of what is printed.",
        ),
        click.Option(["--json"], is_flag=True, help="The same as -o json."),
    ]
