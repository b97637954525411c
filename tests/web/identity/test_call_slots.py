"""The slots of calls: limited in all and for each address, given back after errors, and counted by network."""

from contextlib import ExitStack

import pytest

from cimaster.web.identity.call_slots import CallSlots


def free_slots(slots: CallSlots, *addresses: str) -> list[bool]:
    """Take a slot for each address in turn, without waiting; return which of them were free, and give all back."""
    with ExitStack() as stack:
        return [stack.enter_context(slots.slot(address, 0)) for address in addresses]


def test_one_address_gets_its_part_and_all_together_theirs() -> None:
    slots = CallSlots(3, 2)
    for _ in range(2):
        assert free_slots(slots, "a", "a", "a", "b", "c", "b") == [True, True, False, True, False, False]


def test_a_slot_is_given_back_after_an_error() -> None:
    slots = CallSlots(1, 1)
    with pytest.raises(ZeroDivisionError), slots.slot("a", 0) as free:
        divmod(1, 1 - free)
    assert free_slots(slots, "a") == [True]


@pytest.mark.parametrize(
    ("one", "other", "counted_together"),
    [
        ("192.0.2.1", "192.0.2.1", True),
        ("192.0.2.1", "192.0.2.2", False),
        ("2001:db8::1", "2001:db8::ffff:1", True),
        ("2001:db8::1", "2001:db8:0:1::1", False),
        ("::ffff:192.0.2.1", "::ffff:192.0.2.2", False),
        ("fe80::1%eth0", "fe80::2%eth0", True),
        ("", "", True),
        ("unix:", "", False),
    ],
)
def test_an_address_stands_for_its_host(one: str, other: str, counted_together: bool) -> None:
    assert free_slots(CallSlots(8, 1), one, other) == [True, not counted_together]
