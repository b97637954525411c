"""All decisions, as pure functions of the pool: no I/O, no clock of their own, nothing but the standard library.

A decision takes the pool and the time, and returns the new pool and an answer, or raises a refusal. It may run more
than once for one request.
"""

from cimaster.pool.ask import Ask as Ask
from cimaster.pool.holding import extend as extend
from cimaster.pool.holding import hand_over as hand_over
from cimaster.pool.holding import hold as hold
from cimaster.pool.holding import hold_any as hold_any
from cimaster.pool.holding import release as release
from cimaster.pool.holding import take_over as take_over
from cimaster.pool.inventory import Facts as Facts
from cimaster.pool.inventory import add as add
from cimaster.pool.inventory import delete as delete
from cimaster.pool.inventory import disable as disable
from cimaster.pool.inventory import enable as enable
from cimaster.pool.inventory import update as update
from cimaster.pool.lending import Finish as Finish
from cimaster.pool.lending import finish as finish
from cimaster.pool.lending import meant_by_name as meant_by_name
from cimaster.pool.lending import renew as renew
from cimaster.pool.lending import take as take
from cimaster.pool.lending import undo as undo
from cimaster.pool.repeats import Request as Request
from cimaster.pool.repeats import once as once
from cimaster.pool.state import Answer as Answer
from cimaster.pool.state import Pool as Pool
from cimaster.pool.state import Rules as Rules
from cimaster.pool.waiting import Stay as Stay
from cimaster.pool.waiting import cancel as cancel
from cimaster.pool.waiting import leave as leave
from cimaster.pool.waiting import step_away as step_away
from cimaster.pool.waiting import take_or_wait as take_or_wait
