"""Sign-outs: until when a caller's sessions are over, known to all replicas, so that a stolen session ends with them.

They are in a key of the object of their own, by a hash of the owner, as milliseconds since 1970; each is kept for as
long as a session that it ends could last. Where there are more than fit, the oldest become one time until which the
sessions of all callers are over: a stolen session must not come back to life because many others sign out.
"""

import functools
import hashlib
import json
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from types import MappingProxyType

from cimaster.pool.records.json_values import dump
from cimaster.pool.records.pool import Answer, Pool

KEY = "sign-outs.json"
LONGEST_SESSION = timedelta(hours=12)
_ALL = "all"  # in place of an owner's hash: until when the sessions of all callers are over
_MOST = 500  # sign-outs kept one by one, the newest: about 20 kB
_LATEST = 253_370_764_800_000  # the beginning of 9999: a session that begins then still ends at a possible time
_NONE: Mapping[str, int] = MappingProxyType({})


def sign_out(pool: Pool, now: datetime, owner: str, until: datetime) -> tuple[Pool, Answer]:
    """End all sessions of a caller that began until then; later ones are not affected."""
    oldest = _milliseconds(now - LONGEST_SESSION)
    kept = {who: at for who, at in _read(pool.other_keys.get(KEY, "")).items() if at >= oldest}
    everyone, key = kept.pop(_ALL, 0), _key(owner)
    kept[key] = max(_milliseconds(max(until, now)), kept.get(key, 0))
    by_time = sorted(kept.items(), key=lambda pair: pair[1])
    everyone = max([everyone, *(at for _, at in by_time[:-_MOST])])
    ends = dict(by_time[-_MOST:]) | ({_ALL: everyone} if everyone else {})
    return replace(pool, other_keys={**pool.other_keys, KEY: dump(ends)}), Answer("you are signed out")


def is_over(pool: Pool, owner: str, began: datetime) -> bool:
    """Say whether a caller's session that began then was ended by a sign-out."""
    known = _read(pool.other_keys.get(KEY, ""))
    return bool(known) and _milliseconds(began) <= _end(known, owner)


def last(pool: Pool, owner: str) -> datetime | None:
    """Return until when a caller's sessions are over; None if no sign-out that is known has ended any."""
    ended = _end(_read(pool.other_keys.get(KEY, "")), owner)
    return datetime.fromtimestamp(ended / 1000, UTC) if ended >= 0 else None


def _end(known: Mapping[str, int], owner: str) -> int:
    return max(known.get(_key(owner), -1), known.get(_ALL, -1))


@functools.lru_cache(maxsize=4)
def _read(text: str) -> Mapping[str, int]:
    """Return the stored sign-outs, without what is no time."""
    try:
        stored = json.loads(text)
    except (ValueError, RecursionError):
        return _NONE
    if not isinstance(stored, dict):
        return _NONE
    return MappingProxyType({key: at for key, at in stored.items() if type(at) is int and 0 <= at < _LATEST})


def _key(owner: str) -> str:
    return hashlib.blake2s(owner.encode("utf-8", "surrogatepass"), digest_size=8).hexdigest()


def _milliseconds(moment: datetime) -> int:
    return int(moment.timestamp() * 1000)
