"""Remembers for a short time which tokens the API server accepted and which it refused."""

from dataclasses import dataclass

from cimaster.web.identity.identity import Identity

_MOST = 4096  # answers of each kind, about 4 MB


@dataclass(frozen=True)
class Answer:
    """What the API server said about a token; without an identity, it refused it.

    It counts until `ends`, and should be asked for again from `renew_from` on: both in monotonic seconds.
    """

    identity: Identity | None
    ends: float
    renew_from: float


class ReviewCache:
    """The newest answers by the hash of the token. Refused tokens are kept apart, so that they displace no good one.

    It does no locking.
    """

    def __init__(self, most: int = _MOST) -> None:
        self._most = most
        self._good: dict[bytes, Answer] = {}
        self._bad: dict[bytes, Answer] = {}

    def find(self, key: bytes, now: float) -> Answer | None:
        """Return the answer about a token; None if there is none that still counts."""
        answer = self._good.get(key) or self._bad.get(key)
        return answer if answer and now < answer.ends else None

    def keep(self, key: bytes, answer: Answer) -> None:
        """Keep an answer in place of the earlier one; where there is no room, the oldest one goes."""
        self._good.pop(key, None)
        self._bad.pop(key, None)
        kind = self._bad if answer.identity is None else self._good
        if len(kind) >= self._most:
            del kind[next(iter(kind))]
        kind[key] = answer
