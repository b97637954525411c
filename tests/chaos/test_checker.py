"""The checker itself: it accepts possible histories and finds impossible ones."""

import random

from tests.chaos.checker import NEVER, Operation, steps_back, violations


def op(action: str, tenant: str, began: float, ended: float, *, sure: bool = True, commit: int = 0) -> Operation:
    return Operation("c1", action, tenant, began, ended, sure, commit)


def test_a_sequential_history_is_possible() -> None:
    assert not violations([op("take", "a", 0, 1), op("leave", "a", 2, 3), op("take", "b", 4, 5), op("see", "b", 6, 7)])


def test_a_double_lease_is_found() -> None:
    assert violations([op("take", "a", 0, 1), op("take", "b", 2, 3), op("leave", "a", 4, 5), op("leave", "b", 4, 5)])


def test_answers_may_arrive_in_another_order_than_their_operations() -> None:
    assert not violations([op("take", "a", 0, 1), op("leave", "a", 2, 9), op("take", "b", 3, 4)])


def test_a_cluster_lent_before_its_return_is_found() -> None:
    assert violations([op("take", "a", 0, 1), op("take", "b", 2, 3), op("leave", "a", 4, 5)])


def test_an_unsure_operation_may_or_may_not_have_happened() -> None:
    expired = op("leave", "a", 5, NEVER, sure=False)
    taken = [op("take", "a", 0, 1), op("take", "b", 6, 7)]
    assert not violations([*taken, expired])
    assert violations(taken)
    assert violations([op("take", "a", 0, 1), op("take", "b", 3, 4), expired])


def test_a_lost_tenancy_is_found() -> None:
    assert violations([op("take", "a", 0, 1), op("see", "", 2, 3)])


def test_a_cluster_passes_to_the_next_tenant_in_one_step() -> None:
    passed = Operation("c1", "pass", "person-a", 2, 3, next_tenant="person-b")
    assert not violations([op("take", "person-a", 0, 1), passed, op("see", "person-b", 4, 5)])
    between = [op("take", "job", 2, 3), op("leave", "job", 2, 3)]
    assert violations([op("take", "person-a", 0, 1), passed, *between, op("see", "person-b", 4, 5)])


def test_only_a_person_s_cluster_is_taken_over() -> None:
    over = op("take over", "person-b", 2, 3)
    assert not violations([op("take", "person-a", 0, 1), over, op("see", "person-b", 4, 5)])
    assert violations([op("take", "job", 0, 1), over])
    assert violations([over])


def test_an_answer_from_the_past_is_found() -> None:
    late = [op("take", "a", 0, 1, commit=5), op("take", "b", 2, 3, commit=4)]
    assert len(steps_back(late)) == 1
    assert not steps_back([op("take", "a", 0, 1, commit=5), op("take", "b", 0.5, 3, commit=4)])


def test_long_concurrent_histories_are_judged() -> None:
    random.seed(1)
    history, now = [], 0.0
    for number in range(3000):
        history.append(op("take", str(number), now, now + random.uniform(1, 8)))
        history.append(op("leave", str(number), now + 1, now + random.uniform(2, 9)))
        now += 2
    assert not violations(history)
    doubled = op("take", "thief", 3001, 3001.5)
    assert violations([*history, doubled, op("leave", "thief", 3010, 3011)])
