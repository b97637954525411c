"""All decisions, as pure functions of the pool and the time: no I/O, no clock, only the standard library.

A decision returns the new pool and an answer, or raises a refusal. It may run more than once for one request.
"""

from cimaster.pool.decisions.endings import Return as Return
from cimaster.pool.decisions.expiry import expire as expire
from cimaster.pool.decisions.health import set_health as set_health
from cimaster.pool.decisions.hold_queue import hold_or_wait as hold_or_wait
from cimaster.pool.decisions.holding import extend as extend
from cimaster.pool.decisions.holding import hand_over as hand_over
from cimaster.pool.decisions.holding import hold as hold
from cimaster.pool.decisions.holding import hold_any as hold_any
from cimaster.pool.decisions.holding import release as release
from cimaster.pool.decisions.holding import take_over as take_over
from cimaster.pool.decisions.idempotency import Request as Request
from cimaster.pool.decisions.idempotency import once as once
from cimaster.pool.decisions.inventory import ClusterFacts as ClusterFacts
from cimaster.pool.decisions.inventory import add as add
from cimaster.pool.decisions.inventory import delete as delete
from cimaster.pool.decisions.inventory import disable as disable
from cimaster.pool.decisions.inventory import enable as enable
from cimaster.pool.decisions.inventory import update as update
from cimaster.pool.decisions.leases import FinishRequest as FinishRequest
from cimaster.pool.decisions.leases import finish as finish
from cimaster.pool.decisions.leases import lease_of_unfenced_finish as lease_of_unfenced_finish
from cimaster.pool.decisions.leases import renew as renew
from cimaster.pool.decisions.leaving import cancel as cancel
from cimaster.pool.decisions.leaving import leave as leave
from cimaster.pool.decisions.lending import take as take
from cimaster.pool.decisions.lending import undo as undo
from cimaster.pool.decisions.purposes import PurposeTerms as PurposeTerms
from cimaster.pool.decisions.purposes import set_purpose as set_purpose
from cimaster.pool.decisions.queueing import WaitTerms as WaitTerms
from cimaster.pool.decisions.queueing import mark_disconnected as mark_disconnected
from cimaster.pool.decisions.queueing import take_or_wait as take_or_wait
from cimaster.pool.decisions.release_undo import ReleasedHold as ReleasedHold
from cimaster.pool.decisions.release_undo import undo_release as undo_release
from cimaster.pool.decisions.sharing import share as share
from cimaster.pool.records.criteria import Criteria as Criteria
from cimaster.pool.records.hold_terms import HoldTerms as HoldTerms
from cimaster.pool.records.owners import UNVERIFIED as UNVERIFIED
from cimaster.pool.records.owners import Caller as Caller
from cimaster.pool.records.pool import Answer as Answer
from cimaster.pool.records.pool import Pool as Pool
from cimaster.pool.records.pool import Rules as Rules
