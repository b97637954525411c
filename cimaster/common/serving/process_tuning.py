"""Tunes a Python process that serves many threads: its processor core, thread switches and garbage collection."""

import gc
import os
import secrets
import sys

from cimaster.common.settings import BadSetting

_SWITCH_INTERVAL = 0.002  # seconds
_COLLECT_AFTER = 20_000  # new objects


def check_core(variable: str, chosen: str) -> None:
    """Raise BadSetting for a core (any, all or a number) that this process may not use."""
    if chosen in ("any", "all") or not hasattr(os, "sched_getaffinity"):
        return
    allowed = sorted(os.sched_getaffinity(0))
    if int(chosen) not in allowed:
        raise BadSetting(f"{variable} is {chosen}: expected any, all or one of {', '.join(map(str, allowed))}")


def use_one_core(chosen: str) -> None:
    """Keep all threads of the process on one core (`any` or a number), unless `chosen` is `all`.

    Python runs one thread at a time anyway. On several cores each switch between threads wakes another core, which
    costs more than the step that runs there: 33 context switches a request instead of 6, and a third fewer requests
    (measured). Systems that cannot pin a process to a core are left as they are.
    """
    if chosen == "all" or not hasattr(os, "sched_setaffinity"):
        return
    allowed = sorted(os.sched_getaffinity(0))
    core = secrets.choice(allowed) if chosen == "any" else int(chosen)
    os.sched_setaffinity(0, {core if core in allowed else allowed[0]})


def tune_for_many_threads() -> None:
    """Set how long a thread may run before another one gets a turn, and collect garbage less often.

    Each thread that waits for its turn wakes after every switch interval. With 200 of them, half a millisecond kept the
    core busy with nothing else for seconds; with Python's 5 ms the committer waits too long for threads that compute.
    Looking for garbage after every 700 new objects took a seventh of the time (all measured), so that happens less
    often, and objects that exist at the start are never looked at.
    """
    sys.setswitchinterval(_SWITCH_INTERVAL)
    gc.collect()
    gc.freeze()
    gc.set_threshold(_COLLECT_AFTER)
