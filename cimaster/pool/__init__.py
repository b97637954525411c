"""All decisions, as pure functions of the pool: no I/O, no clock of their own, nothing but the standard library.

A decision takes the pool and the time, and returns the new pool and an answer, or raises a refusal. It may run more
than once for one request.
"""

from cimaster.pool.holding import hold, hold_any, release
from cimaster.pool.inventory import Facts, add, delete, disable, enable, update
from cimaster.pool.lending import Ask, Finish, finish, meant_by_name, renew, take, undo
from cimaster.pool.repeats import Request, once
from cimaster.pool.state import Answer, Pool, Rules

__all__ = [
    "Answer",
    "Ask",
    "Facts",
    "Finish",
    "Pool",
    "Request",
    "Rules",
    "add",
    "delete",
    "disable",
    "enable",
    "finish",
    "hold",
    "hold_any",
    "meant_by_name",
    "once",
    "release",
    "renew",
    "take",
    "undo",
    "update",
]
