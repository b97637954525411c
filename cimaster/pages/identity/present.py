"""The caller on pages that are open to everybody: they show the name of a caller that is signed in."""

from cimaster.errors import BadCredential, NoCredential, TwoCredentials
from cimaster.web import access, callers
from cimaster.web.components import components
from cimaster.web.identity.authentication import Authentication
from cimaster.web.identity.identity import Identity


def authentication() -> Authentication:
    """Return how callers are authenticated; only for pages that exist with `auth = required` alone."""
    found = components().authentication
    assert found
    return found


def identified() -> Identity:
    """Find out who sent the request, as for any other page; the same refusals."""
    return access.identify(authentication(), callers.current().address)


def identified_if_possible() -> Identity | None:
    """Find out who sent the request; None without a credential that can be used."""
    try:
        return identified()
    except (NoCredential, BadCredential, TwoCredentials):
        return None
