"""Takes a cluster for a command line, and leaves the queue if the command is ended while it waits."""

import contextlib
import uuid

from cimaster.cli.client import Client, Lease, TakeOptions
from cimaster.cli.errors import ClientError, Unreachable
from cimaster.cli.progress import WaitingProgress, say
from cimaster.cli.stop_signals import Stopped, StopSignals

_LEAVE_SECONDS = 10.0


def take(client: Client, signals: StopSignals, job: str, build: str, options: TakeOptions) -> Lease:
    """Take a cluster; raise Stopped if a signal ended the wait, after the place in the queue was given up."""
    request_id = str(uuid.uuid4())
    subject = options.get("cluster") or f"a {options.get('purpose') or 'tess-ci'} cluster"
    try:
        if not options.get("wait"):
            with signals.interrupt():
                return client.take(job, build, request_id=request_id, **options)
        with WaitingProgress(subject) as progress, signals.interrupt():
            return client.take(job, build, request_id=request_id, queued=progress.queued, **options)
    except Stopped:
        _leave(client, signals, request_id)
        raise
    except Unreachable:
        # The service may just be back. If not, it drops the place by itself.
        with contextlib.suppress(ClientError):
            client.with_timeout(0).leave(request_id)
        raise


def _leave(client: Client, signals: StopSignals, request_id: str) -> None:
    """Give up the place in the queue, or the cluster that was just lent; a second signal ends the attempt."""
    try:
        with signals.interrupt():
            client.with_timeout(_LEAVE_SECONDS).leave(request_id)
    except (ClientError, Stopped) as error:
        say(f"did not leave the queue: {error}; the place is lost after 90 s without a request")
