"""What a visitor can do after a change that the store did not take: the sentences of the API speak to operators."""

from cimaster.errors import Problem
from cimaster.errors.store import OutcomeUnknown, StoreTrouble, TooBusy


def next_step(problem: Problem) -> str:
    """Return what to do after a refused change, as sentences; empty if the refusal says it."""
    if isinstance(problem, OutcomeUnknown):
        return "Check the current state, then try again."
    if isinstance(problem, TooBusy) or not isinstance(problem, StoreTrouble):
        return ""
    if problem.needs_repair:
        return "Nothing was changed. An operator must repair the store; try again after that."
    return "Nothing was changed. Try again in a moment."
