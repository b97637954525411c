"""Asks the API server whether a token is a service account's, with its TokenReview."""

import json
import logging
import re
from typing import Any, NamedTuple

import urllib3

from cimaster.common.kubernetes_client import FAILED, KubernetesClient, reason
from cimaster.errors import IdentityUnavailable
from cimaster.web.identity.account_tokens import AUDIENCE

_PATH = "/apis/authentication.k8s.io/v1/tokenreviews"
_HEADERS = {"Content-Type": "application/json", "Accept": "application/json"}
_TIMEOUT = urllib3.Timeout(total=2)
_RETRY_AFTER = 5  # seconds
_ACCOUNT = re.compile(r"system:serviceaccount:[a-z0-9-]{1,63}:[a-z0-9.-]{1,253}")
_log = logging.getLogger(__name__)


class Account(NamedTuple):
    """A service account, as the API server calls it."""

    name: str
    groups: frozenset[str]


class TokenReviews:
    """The reviews of an API server. The first failed call, and the first one that works again, are logged."""

    def __init__(self, client: KubernetesClient) -> None:
        self._client = client
        self._failing = False

    def account(self, token: str) -> Account | None:
        """Return the account of a token for CIMaster; None if the API server does not accept it as one.

        IdentityUnavailable if the API server cannot be asked.
        """
        review = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenReview"}
        body = json.dumps({**review, "spec": {"token": token, "audiences": [AUDIENCE]}}).encode()
        try:
            answer = self._client.request("POST", _PATH, _HEADERS, body=body, timeout=_TIMEOUT)
        except FAILED as error:
            raise self._unavailable(reason(error)) from None
        if answer.status not in (200, 201):
            raise self._unavailable(_why(answer.status))
        try:
            reviewed = json.loads(answer.data)
        except (ValueError, RecursionError):
            raise self._unavailable("its answer is no JSON") from None
        if self._failing:
            self._failing = False
            _log.info("the API server reviews tokens of service accounts again")
        return account_of(reviewed)

    def _unavailable(self, why: str) -> IdentityUnavailable:
        """Return the refusal for a caller; the reason is for the operator, in the log."""
        if not self._failing:
            self._failing = True
            _log.warning("the API server cannot review tokens of service accounts: %s", why)
        return unavailable()


def unavailable() -> IdentityUnavailable:
    """Return the refusal of a request whose token could not be reviewed."""
    return IdentityUnavailable(
        "the API server cannot be asked about the token now: repeat the request in a few seconds",
        retry_after=_RETRY_AFTER,
    )


def account_of(review: Any) -> Account | None:
    """Read a TokenReview; None unless each part that counts is there and right."""
    status = review.get("status") if isinstance(review, dict) else None
    if not isinstance(status, dict) or status.get("authenticated") is not True:
        return None
    audiences, user = status.get("audiences"), status.get("user")
    if not isinstance(audiences, list) or AUDIENCE not in audiences or not isinstance(user, dict):
        return None
    name, groups = user.get("username"), user.get("groups", [])
    if not isinstance(name, str) or not _ACCOUNT.fullmatch(name):
        return None
    if not isinstance(groups, list) or not all(isinstance(group, str) for group in groups):
        return None
    return Account(name, frozenset(groups))


def _why(status: int) -> str:
    if status == 403:
        return "the service's account may not create tokenreviews: give it that right with k8s/overlays/required"
    return f"it answered {status}"
