"""Commands for jobs: run a command on a cluster, or take one and give it back."""

from collections.abc import Callable, Mapping
from typing import Any, cast

import click

from cimaster.cli import job_run, settings, waiting
from cimaster.cli.client import RESULTS, TakeOptions
from cimaster.cli.command_line import (
    LONG_TIMEOUT,
    ClientCommand,
    Decorator,
    Duration,
    Session,
    cluster_argument,
    criteria,
)
from cimaster.cli.durations import seconds
from cimaster.cli.listings import JSON, WIDE, as_json
from cimaster.cli.progress import say
from cimaster.cli.stop_signals import Stopped, StopSignals
from cimaster.cli.terminal_text import neutral

_SECTION = "Jobs"
_cluster = cluster_argument("CIMASTER_CLUSTER")


def _take_options(ttl: str | None) -> Decorator:
    """Return what adds the options of a take; `ttl` is the default of `--ttl`."""
    options: list[Decorator] = [
        click.option("--job", help="Name of the job.  [default: as the CI system says]"),
        click.option("--build", help="Number of the build.  [default: as the CI system says]"),
        click.option("--name", help="Person who triggered the job.  [default: as the CI system says]"),
        click.option("--cluster", help="This cluster and no other."),
        criteria,
        click.option("--wait", metavar="DURATION", help="How long to wait for a cluster if none is vacant."),
        click.option("--priority", type=click.Choice(["low", "normal", "high"]), help="Priority in the queue."),
        click.option(
            "--ttl",
            metavar="DURATION",
            default=ttl,
            show_default=True,
            help="Time after which the lease ends unless it is renewed.",
        ),
        click.option(
            "--hold-on-failure",
            metavar="DURATION",
            help="If the test fails, hold the cluster for the person who triggered the job, for this time.",
        ),
    ]

    def add(function: Callable[..., Any]) -> Callable[..., Any]:
        for option in reversed(options):
            function = option(function)
        return function

    return add


@click.command(
    cls=ClientCommand,
    section=_SECTION,
    example="cimaster run --purpose tess-ci --wait 30m -- make e2e\n"
    "cimaster run --wait 30m --ttl 2h --hold-on-failure 2h --kill-on-lost-lease -- make e2e",
    timeout=LONG_TIMEOUT,
    prints=False,
    context_settings={"allow_interspersed_args": False},
)
@_take_options("30m")
@click.option("--renew-every", type=Duration(), help="Time between renewals.  [default: a third of the ttl]")
@click.option("--kill-on-lost-lease", is_flag=True, help="End the command if its lease is lost.")
@click.argument("command", nargs=-1, required=True, type=click.UNPROCESSED)
@click.pass_obj
def run(
    session: Session,
    /,
    command: tuple[str, ...],
    job: str | None,
    build: str | None,
    name: str | None,
    renew_every: float | None,
    kill_on_lost_lease: bool,
    **options: Any,
) -> int:
    """Run a command on a cluster, and give the cluster back.

    The command finds its cluster in CIMASTER_CLUSTER. The service learns the result: pass for exit status 0, fail for
    any other, error if a signal from elsewhere ended it.

    The exit status is the command's, or 128 plus the number of the signal that ended the wait; 127 if there is no such
    command, 1 refused, 2 wrong use, 3 service unreachable, 4 no cluster vacant.
    """
    job, build, name = _ci_job(job, build, name)
    _check_holder(name, options["hold_on_failure"])
    every = renew_every or (seconds(options["ttl"]) or 0) / 3
    how = job_run.RunOptions(every, kill_on_lost_lease)
    return job_run.run(session.client, command, job, build, _given(name, options), how)


@click.command(
    cls=ClientCommand,
    section=_SECTION,
    example="CLUSTER=$(cimaster take --job e2e --build 7 --wait 30m --ttl 2h)",
    timeout=LONG_TIMEOUT,
)
@_take_options(None)
@click.pass_obj
def take(session: Session, /, job: str | None, build: str | None, name: str | None, **options: Any) -> int:
    """Take a cluster, and print its name.

    -o wide prints the lease after the name, --json the whole record with it (leaseId).
    """
    job, build, name = _ci_job(job, build, name)
    _check_holder(name, options["hold_on_failure"])
    # A signal that comes when the cluster is lent already does not end the command before it has printed the name.
    with StopSignals(lambda _number: None) as signals:
        try:
            lease = waiting.take(session.client, signals, job, build, _given(name, options))
        except Stopped as stopped:
            say(str(stopped))
            return stopped.exit_status
        if session.output == JSON:
            click.echo(as_json(lease.record), nl=False)
        else:
            click.echo(neutral(lease.cluster) + (f" {neutral(lease.id)}" if session.output == WIDE else ""))
    return 0


@click.command(
    cls=ClientCommand,
    section=_SECTION,
    example="cimaster finish cluster-05 --job e2e --build 7 --result pass\n"
    "cimaster finish cluster-05 --job e2e --build 7 --result fail --hold 2h",
    timeout=LONG_TIMEOUT,
)
@_cluster
@click.option("--lease", envvar="CIMASTER_LEASE", show_envvar=True, help="Lease that ends; no other one is ended.")
@click.option("--job", help="Name of the job whose lease ends.")
@click.option("--build", help="Number of the build whose lease ends.")
@click.option("--result", type=click.Choice(RESULTS), help="How the test ended.")
@click.option(
    "--hold",
    metavar="DURATION",
    help="Unless it passed, hold the cluster for the person who triggered the job, for this time.",
)
@click.pass_obj
def finish(session: Session, /, **values: str | None) -> None:
    """Give a cluster back."""
    if not values["lease"] and not (values["job"] and values["build"]):
        raise click.UsageError("Say which lease ends: --lease, or --job and --build.")
    session.change("finishtest", **values)


@click.command(cls=ClientCommand, section=_SECTION, example="cimaster renew cluster-05 --lease 6d69c143 --ttl 2h")
@_cluster
@click.option("--lease", envvar="CIMASTER_LEASE", show_envvar=True, required=True, help="Lease of the cluster.")
@click.option("--ttl", metavar="DURATION", help="Time from now on.  [default: the lease's own]")
@click.pass_obj
def renew(session: Session, /, **values: str | None) -> None:
    """Move the end of a lease."""
    session.change("renewlease", **values)


@click.command(cls=ClientCommand, section=_SECTION, example="cimaster leave 1f6e2a9c-8f0b-4d64-9d0e-5a3c7b1e2f40")
@click.argument("request_id")
@click.pass_obj
def leave(session: Session, /, request_id: str) -> None:
    """Give up a place in the queue."""
    session.show(session.client.leave(request_id))


def _ci_job(job: str | None, build: str | None, name: str | None) -> tuple[str, str, str]:
    """Return the job, the build and the person, those of the CI system where none are given."""
    known = settings.ci_job()
    job, build = job or known.job, build or known.build
    if not job or not build:
        raise click.UsageError("Say --job and --build: no CI system that this client knows has set them.")
    return job, build, name or known.person


def _check_holder(name: str, hold_on_failure: str | None) -> None:
    """Refuse a hold after a failure that would be for no person."""
    if hold_on_failure and not name:
        raise click.UsageError("Say --name: --hold-on-failure holds the cluster for the person who triggered the job.")


def _given(name: str, options: Mapping[str, Any]) -> TakeOptions:
    return cast(TakeOptions, {**options, "name": name})
