"""Outages of the store. They are not refusals, because nothing was decided: no `except Refusal` may hide them."""

from typing import ClassVar

from cimaster.common.errors import Problem


class StoreTrouble(Problem):
    """The store cannot be read or written at the moment; nothing was changed."""

    code = "store_unavailable"
    status = 503
    needs_repair: ClassVar[bool] = False
    """Whether a person must mend the store: waiting does not help."""

    def __init__(self, sentence: str, *, retry_after: int | None = 2, **facts: object) -> None:
        super().__init__(sentence, retry_after=retry_after, **facts)


class StoreMissing(StoreTrouble):
    """The object that holds the pool does not exist."""

    code = "store_missing"
    needs_repair = True


class StoreUnreadable(StoreTrouble):
    """The data exist but are not valid JSON; they are never overwritten."""

    code = "store_unreadable"
    needs_repair = True


class StoreWentBack(StoreTrouble):
    """The object's commit counter shows that the pool was written before, but its data are gone."""

    code = "store_went_back"
    needs_repair = True


class StoreRefused(StoreTrouble):
    """The store rejected this write, because of its size or its form."""

    code = "store_refused"
    needs_repair = True


class TooBusy(StoreTrouble):
    """The deadline passed before the change could be written; nothing was done."""

    code = "too_busy"


class OutcomeUnknown(StoreTrouble):
    """The deadline passed while a write was in flight; it may or may not have been applied."""

    code = "outcome_unknown"
