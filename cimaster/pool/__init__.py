"""All decisions, as pure functions of the pool: no I/O, no clock of their own, nothing but the standard library.

A decision takes the pool and the time, and returns the new pool and an answer, or raises a refusal. It may run more
than once for one request.
"""

from cimaster.pool.ask import Ask
from cimaster.pool.holding import extend, hand_over, hold, hold_any, release, take_over
from cimaster.pool.inventory import Facts, add, delete, disable, enable, update
from cimaster.pool.lending import Finish, finish, meant_by_name, renew, take, undo
from cimaster.pool.repeats import Request, once
from cimaster.pool.state import Answer, Pool, Rules
from cimaster.pool.waiting import Stay, cancel, leave, step_away, take_or_wait

__all__ = [
    "Answer",
    "Ask",
    "Facts",
    "Finish",
    "Pool",
    "Request",
    "Rules",
    "Stay",
    "add",
    "cancel",
    "delete",
    "disable",
    "enable",
    "extend",
    "finish",
    "hand_over",
    "hold",
    "hold_any",
    "leave",
    "meant_by_name",
    "once",
    "release",
    "renew",
    "step_away",
    "take",
    "take_or_wait",
    "take_over",
    "undo",
    "update",
]
