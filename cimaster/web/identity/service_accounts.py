"""Callers that are Kubernetes service accounts: the API server says whose a token is.

Its answers are kept for a minute. A request that comes in the last seconds of an answer asks again while the others go
on with the old one, so that a load of requests never waits for the API server together.
"""

import threading
from collections.abc import Callable
from concurrent.futures import Future
from datetime import datetime, timedelta

from cimaster.common.clock import Clock
from cimaster.common.kubernetes_client import KubernetesClient
from cimaster.common.token_file import digest
from cimaster.errors import IdentityUnavailable
from cimaster.web.identity import account_tokens
from cimaster.web.identity.call_slots import CallSlots
from cimaster.web.identity.identity import Identity, Source
from cimaster.web.identity.review_cache import Answer, ReviewCache
from cimaster.web.identity.token_reviews import TokenReviews, unavailable

_GOOD, _BAD = 60.0, 5.0  # seconds for which an answer is kept
_RENEW_AFTER = 45.0  # seconds after which a good answer is asked for again
_RENEWAL_PAUSE = 5.0  # seconds without renewals after one failed: each could take until its time-out
_LONGEST_WAIT = 2.0  # seconds that a caller waits for a slot for its call
_LONGEST_CALL = 10.0  # seconds that a caller waits for the call of another one with the same token
_TOLERANCE = timedelta(seconds=10)  # by which the replica's clock may be ahead of the API server's
_CALLS, _CALLS_OF_ONE_ADDRESS = 8, 2  # under way at the same time

_Call = Future[Identity | None]


class ServiceAccounts:
    """Tokens of service accounts for the audience `cimaster`. Requests with the same token share one call."""

    def __init__(self, client: KubernetesClient, clock: Clock | None = None) -> None:
        self._clock = clock or Clock()
        self._reviews = TokenReviews(client)
        self._slots = CallSlots(_CALLS, _CALLS_OF_ONE_ADDRESS)
        self._cache = ReviewCache()
        self._calls: dict[bytes, _Call] = {}
        self._renewals_from = 0.0
        self._lock = threading.Lock()

    def review(self, token: str, address: str) -> Identity | None:
        """Return the service account with a token; None if it is no valid token of one for CIMaster.

        IdentityUnavailable if the API server cannot be asked. `address` is the caller's, for limits.
        """
        key = digest(token)
        with self._lock:
            now = self._clock.monotonic()
            known = self._cache.find(key, now)
        if known is None:
            return self._asked(key, token, address)
        if known.identity is None or now < max(known.renew_from, self._renewals_from):
            return known.identity
        return self._renewed(key, token, address, known)

    def _asked(self, key: bytes, token: str, address: str) -> Identity | None:
        """Return the answer of a call, which another request may have begun."""
        expires = account_tokens.expiry(token)
        if expires is None or expires + _TOLERANCE <= self._clock():
            return None
        call, leads = self._join(key)
        if leads:
            self._settle(call, key, lambda: self._answer_in_slot(key, token, expires, address))
        return _result(call, _LONGEST_CALL)

    def _renewed(self, key: bytes, token: str, address: str, known: Answer) -> Identity | None:
        """Ask again about a token; where that does not work now, the known answer counts until its end."""
        identity = known.identity
        assert identity is not None
        expires = identity.expires
        assert expires is not None
        with self._slots.slot(address, 0) as free:
            if not free:
                return identity
            call, leads = self._join(key)
            if leads:
                self._settle(call, key, lambda: self._answer(key, token, expires))
            elif not call.done():  # another request is asking
                return identity
        try:
            return _result(call, 0)
        except IdentityUnavailable:
            now = self._clock.monotonic()
            self._renewals_from = now + _RENEWAL_PAUSE
            if now < known.ends:
                return identity
            raise

    def _join(self, key: bytes) -> tuple[_Call, bool]:
        """Return the call about a token, and whether the caller must make it."""
        with self._lock:
            if key in self._calls:
                return self._calls[key], False
            call: _Call = Future()
            now = self._clock.monotonic()
            known = self._cache.find(key, now)
            if known and now < known.renew_from:  # another call has ended since the caller looked
                call.set_result(known.identity)
                return call, False
            self._calls[key] = call
            return call, True

    def _settle(self, call: _Call, key: bytes, answer: Callable[[], Identity | None]) -> None:
        """Make a call, and give its answer to all that wait for it."""
        try:
            call.set_result(answer())
        except IdentityUnavailable as trouble:
            call.set_exception(trouble.again())  # its traceback would refer to `call`
        finally:
            with self._lock:
                del self._calls[key]
            if not call.done():  # an error in this code: the request fails with it, and those that wait are refused
                call.set_exception(unavailable())

    def _answer_in_slot(self, key: bytes, token: str, expires: datetime, address: str) -> Identity | None:
        with self._slots.slot(address, _LONGEST_WAIT) as free:
            if not free:
                raise unavailable()
            return self._answer(key, token, expires)

    def _answer(self, key: bytes, token: str, expires: datetime) -> Identity | None:
        """Ask the API server, and keep its answer; it counts from the beginning of the call."""
        begun = self._clock.monotonic()
        account = self._reviews.account(token)
        identity = account and Identity(account.name, Source.SERVICE_ACCOUNT, account.groups, expires=expires)
        remaining = (expires - self._clock()).total_seconds()
        lasts = min(_GOOD, remaining) if identity else _BAD
        with self._lock:
            self._cache.keep(key, Answer(identity, begun + lasts, begun + _RENEW_AFTER))
        return identity


def _result(call: _Call, longest: float) -> Identity | None:
    """Return the answer of a call; IdentityUnavailable if there is none within this time."""
    try:
        trouble = call.exception(longest)
    except TimeoutError:
        raise unavailable() from None
    if isinstance(trouble, IdentityUnavailable):
        raise trouble.again()  # several threads may raise it
    return call.result()
