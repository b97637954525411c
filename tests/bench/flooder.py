"""`python -m tests.bench.flooder PORT KIND CORE`: sends as many requests as 100 connections of one address can carry.

It runs at the lowest priority, because its own work must not count as the service's. It prints a line when it begins
and one when it is first answered. It ends when its input ends, and then prints how many requests got each status.
"""

import asyncio
import json
import os
import sys
import uuid
from collections import Counter
from collections.abc import Callable

from cimaster.web.identity.roles import Role
from tests.bench.load import Caller
from tests.required import bearer, name_of
from tests.web.identity.made_tokens import token

SOURCE = "127.0.0.2"
_CONNECTIONS = 100
_READER, _CI = bearer(name_of(Role.READER)), bearer(name_of(Role.CI))
_JSON = {"Accept": "application/json"}

Sent = tuple[str, dict[str, str]]
KINDS: dict[str, Callable[[], Sent]] = {
    "no credential": lambda: ("/clusters", {}),
    "unknown token": lambda: ("/clusters", {"Authorization": f"Bearer {uuid.uuid4()}"}),
    "made-up account": lambda: ("/clusters", {"Authorization": f"Bearer {token(uuid.uuid4().hex)}"}),
    "unknown path": lambda: ("/nothing-here", {}),
    "health": lambda: ("/healthz", {}),
    "clusters": lambda: ("/clusters", _READER),
    "history": lambda: ("/history", _READER),
    "usage": lambda: ("/usage?since=7d", _READER | _JSON),
    "export": lambda: ("/ui/inventory.yaml", _READER),
    "dashboard": lambda: ("/", _READER),
    "usage page": lambda: ("/ui/usage", _READER),
    "takes": lambda: (f"/getvacant?job=flood-{uuid.uuid4()}&build=1", _CI),
    "waits": lambda: (f"/getvacant?job=flood&build=1&wait=1h&request_id={uuid.uuid4()}", _CI),
}


async def flood(port: int, kind: str) -> Counter[str]:
    """Send requests of a kind until the input ends; return how many got each status."""
    seen, ended = Counter[str](), asyncio.Event()

    async def send() -> None:
        caller = Caller("127.0.0.1", port, SOURCE)
        while not ended.is_set():
            path, headers = KINDS[kind]()
            try:
                answer = await caller.get(path, tries=2, **headers)  # the second if the first began late
                seen[answer.headers.get("cimaster-code", str(answer.status))] += 1
                if seen.total() == 1:
                    print("answered", flush=True)
            except (OSError, TimeoutError):
                seen["closed"] += 1
                caller.close()
        caller.close()

    senders = [asyncio.ensure_future(send()) for _ in range(_CONNECTIONS)]
    await asyncio.to_thread(sys.stdin.read)
    ended.set()
    for sender in senders:
        sender.cancel()
    await asyncio.gather(*senders, return_exceptions=True)
    return seen


def _stay_behind(replica_core: int) -> None:
    """Use only time that nothing else wants, on the cores that are not the replica's."""
    others = os.sched_getaffinity(0) - {replica_core}
    os.sched_setaffinity(0, others or {replica_core})
    os.sched_setscheduler(0, os.SCHED_IDLE, os.sched_param(0))


if __name__ == "__main__":
    _stay_behind(int(sys.argv[3]))
    print("begun", flush=True)
    print(json.dumps(asyncio.run(flood(int(sys.argv[1]), sys.argv[2]))))
