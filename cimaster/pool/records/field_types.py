"""The type of each stored field, so that nothing is written that could not be read back."""

import re
from collections.abc import Callable, Mapping
from typing import Any, TypeGuard

from cimaster.common.times import stored_duration, stored_time
from cimaster.pool.records.json_values import utf8_safe

LARGEST_NUMBER = 1_000_000_000
_ID = re.compile(r"[!-~]{1,256}")

DURATIONS = ("leaseTtl", "holdFor", "holdOnFailure", "keeps", "ttl", "cooldown", "checkEvery", "waited")
_LENDING_TIMES = ("acquiredAt", "leaseExpires", "heldAt", "holdExpires", "vacantSince", "at", "since", "until", "here")
_CREATION_TIMES = ("requestedAt", "retriedAt", "triggeredAt", "readyAt", "failedAt", "jobEnded", "deadline", "nextTry")
_HEALTH_TIMES = ("healthSince", "healthyFrom", "checkedAt", "checkAfter", "checkUntil", "setAt")
_NOTICE_TIMES = ("ends", "failedSince")
_TIMES = (*_LENDING_TIMES, *_CREATION_TIMES, *_HEALTH_TIMES, *_NOTICE_TIMES, "claimUntil")
_FLAGS = ("hold", "disabled", "policy", "force", "maybeBegun", "jobGuessed")
_NUMBERS = ("tries", "round", "minVacant", "maxTotal", "maxCreating", "failedChecks")
_IDS = ("leaseId", "requestId", "checkId", "id")
_CLUSTER_TEXTS = ("name", "status", "region", "purpose", "osimage", "note", "disabledBy", "disabledReason")
_LEASE_TEXTS = ("lastJob", "lastBuild", "lastTriggerName", "leaseJob", "leaseBuild", "requestHash")
_HOLD_TEXTS = ("holdBy", "holdDesc")
_HEALTH_TEXTS = ("health", "healthReason", "healthCause", "healthBy", "checking", "checkBy")
_PURPOSE_TEXTS = ("check", "clean", "afterExpiry", "setBy")
_HISTORY_TEXTS = ("cluster", "event", "from", "to", "by", "job", "build", "reason", "holder", "newHolder", "result")
_CREATION_TEXTS = ("state", "user", "branch", "message", "jobName", "statusLink", "logLink", "failure", "claimBy")
_OTHER_TEXTS = ("retriedBy", "dismissedBy", "hours", "hash", "priority", "verb", "say", "kind", "person")
_LENDING_TEXTS = (*_CLUSTER_TEXTS, *_LEASE_TEXTS, *_HOLD_TEXTS, *_HEALTH_TEXTS)
_TEXTS = (*_LENDING_TEXTS, *_PURPOSE_TEXTS, *_HISTORY_TEXTS, *_CREATION_TEXTS, *_OTHER_TEXTS)


def is_id(value: object) -> TypeGuard[str]:
    """Say whether a value is an id that this service or one of its callers could have made."""
    return type(value) is str and _ID.fullmatch(value) is not None


def _is_flag(value: object) -> bool:
    return type(value) is bool


def _is_number(value: object) -> bool:
    return type(value) is int and 0 <= value <= LARGEST_NUMBER


def _is_text(value: object) -> bool:
    return type(value) is str and (value.isascii() or utf8_safe(value) == value)


_TYPE_OF: Mapping[str, Callable[[Any], object]] = (
    dict.fromkeys(DURATIONS, stored_duration)
    | dict.fromkeys(_TIMES, stored_time)
    | dict.fromkeys(_FLAGS, _is_flag)
    | dict.fromkeys(_NUMBERS, _is_number)
    | dict.fromkeys(_IDS, is_id)
    | dict.fromkeys(_TEXTS, _is_text)
)


def checked(fields: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return fields that are about to be written; TypeError if one of them could not be read back."""
    for key, value in fields.items():
        is_of_type = _TYPE_OF.get(key)
        if is_of_type and value is not None and not is_of_type(value):
            raise TypeError(f"{key} would become {value!r:.80}, which cannot be read back")
    return fields
