"""The caller on pages that are open to everybody: they show the name of a caller that is signed in."""

import contextlib

from cimaster.errors import BadCredential, NoCredential, TwoCredentials
from cimaster.web import access, callers
from cimaster.web.components import components
from cimaster.web.identity.authentication import Authentication


def authentication() -> Authentication:
    """Return how callers are authenticated; only for pages that exist with `auth = required` alone."""
    found = components().authentication
    assert found
    return found


def identify() -> None:
    """Find out who sent the request, as for any other page; the same refusals."""
    access.identify(authentication(), callers.current().address)


def identify_if_possible() -> None:
    """Find out who sent the request, if it has a credential that can be used."""
    with contextlib.suppress(NoCredential, BadCredential, TwoCredentials):
        identify()
