"""Bring the pool into line with an inventory in a file, for `cimaster import --sync`."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial

from cimaster.errors import Refusal, StoreTrouble
from cimaster.pool.decisions import inventory_plan
from cimaster.pool.decisions.inventory_plan import Plan, Step, SyncTerms
from cimaster.repository.configmap_repository import ConfigMapRepository


@dataclass(frozen=True)
class StepResult:
    """What became of a step: the answer of its decision, or why it failed."""

    step: Step
    done: bool
    sentence: str

    def __str__(self) -> str:
        return f"done: {self.sentence}" if self.done else f"failed: {self.step.name}: {self.sentence}"


def carry_out(repository: ConfigMapRepository, plan: Plan, terms: SyncTerms) -> Iterator[StepResult]:
    """Carry out a plan step by step, each in a change of its own, and yield the results.

    A refused step does not stop the others. After trouble with the store, the remaining steps are not tried.
    """
    for step in plan.steps:
        try:
            done = repository.update(partial(inventory_plan.carry_out, step=step, terms=terms))
        except Refusal as refusal:
            yield StepResult(step, False, str(refusal))
        except StoreTrouble as trouble:
            yield StepResult(step, False, str(trouble))
            return
        else:
            yield StepResult(step, True, done.answer.text)


def plan_lines(plan: Plan) -> list[str]:
    """Return a plan as lines for people."""
    broken = [f"! {each}: left as it is" for each in plan.broken]
    return [*map(str, plan.steps), *broken, f"= {plan.unchanged} unchanged"]


def summary(plan: Plan, results: list[StepResult]) -> str:
    """Return how many steps were done, and which ones were not."""
    failed = [result.step.name for result in results if not result.done]
    left = len(plan.steps) - len(results)
    parts = [f"{len(results) - len(failed)} done"]
    parts += [f"{left} not tried"] if left else []
    parts += [f"{len(failed)} failed: {', '.join(failed)}"] if failed else []
    return ", ".join(parts)
