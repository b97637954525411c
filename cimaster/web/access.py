"""What each caller may do: the one check before every request, and what routes ask about the current caller.

A view says with `allow` which roles it is for. A view that says nothing is for no caller (default deny). With
`auth = open` callers have no roles: the names that they give decide, where a name matters at all.
"""

from collections.abc import Callable, Iterable
from typing import Any, TypeVar

from flask import current_app, g, request

from cimaster.common import logs
from cimaster.common.serving import caller_connection
from cimaster.common.texts import same_person
from cimaster.errors import BadCredential, NotAllowed, NotYou
from cimaster.web import callers
from cimaster.web.components import components
from cimaster.web.identity.authentication import Authentication
from cimaster.web.identity.identity import Identity, Source
from cimaster.web.identity.roles import EVERYBODY, Role
from cimaster.web.identity.session_cookie import session_of

V = TypeVar("V", bound=Callable[..., Any])
_ATTRIBUTE = "allowed_roles"
_STATIC = "static"
_MOST_ADMINS = 5  # that a sentence names


def allow(roles: frozenset[Role]) -> Callable[[V], V]:
    """Mark a view as open to callers that have one of the roles; EVERYBODY needs no credential."""

    def mark(view: V) -> V:
        setattr(view, _ATTRIBUTE, roles)
        return view

    return mark


def allow_readers(view: Callable[..., Any]) -> None:
    """Mark a view as open to readers, unless it is marked."""
    if not hasattr(view, _ATTRIBUTE):
        setattr(view, _ATTRIBUTE, frozenset({Role.READER}))


def needed_roles(endpoint: str) -> frozenset[Role] | None:
    """Return the roles of which the view of a Flask endpoint needs one; None if it has no mark, and so is closed."""
    if endpoint == _STATIC:
        return EVERYBODY
    roles: frozenset[Role] | None = getattr(current_app.view_functions[endpoint], _ATTRIBUTE, None)
    return roles


def is_open() -> bool:
    """Say whether the service believes the names that callers give."""
    return components().authentication is None


def authenticate(authentication: Authentication, address: str) -> None:
    """Find out who sent the current request, and refuse a caller that lacks the role for it.

    A request without a route, or with one that is open to everybody, needs no credential.
    """
    endpoint = request.endpoint
    needed = EVERYBODY if endpoint is None else needed_roles(endpoint)
    if needed != EVERYBODY:
        _check(identify(authentication, address), needed)


def identify(authentication: Authentication, address: str) -> callers.Sender:
    """Find out who sent the current request, and keep that with it; a refusal unless it has one good credential."""
    identity = authentication.identify(request.environ, address, session_of(request))
    g.sender = sender = callers.Sender(address, identity, components().roles.of(identity))
    name_in_log(identity)
    if identity.source is not Source.PROXY:  # its headers are no credential that a caller sends each time
        caller_connection.recognise(request.environ, identity.owner)
    return sender


def name_in_log(identity: Identity) -> None:
    """Have the log lines of the current request name this caller."""
    logs.caller.set({"caller": identity.name, "source": str(identity.source)})


def _check(sender: callers.Sender, needed: frozenset[Role] | None) -> None:
    if needed is None or not needed & sender.roles:
        assert sender.identity
        raise _lacking(needed or {Role.ADMIN}, sender.identity, sender.roles)


def check_authorization() -> None:
    """Refuse a GET that changes something unless its credential is the header Authorization.

    Browsers attach cookies, and proxies identities, to requests that a link or an image of another site has caused.
    """
    identity = callers.current().identity
    if identity and identity.source in (Source.SESSION, Source.PROXY):
        sentence = f"a GET that changes something needs the header Authorization: a {identity.source} is not enough"
        raise BadCredential(f"{sentence}; send it as POST, or with a token")


def is_admin(name: str) -> bool:
    """Say whether the caller is an admin; `name` is the one that it gave, which counts where names are believed."""
    if is_open():
        return name in components().admins
    return Role.ADMIN in callers.current().roles


def require_admin(name: str) -> None:
    """Refuse a caller that is not an admin; `name` is the one that it gave."""
    if is_open():
        components().admins.require(name)
    else:
        require({Role.ADMIN})


def require(roles: Iterable[Role]) -> None:
    """Refuse an authenticated caller that has none of the roles."""
    sender, needed = callers.current(), frozenset(roles)
    if sender.identity and not needed & sender.roles:
        raise _lacking(needed, sender.identity, sender.roles)


def require_for_others(name: str, other: str) -> None:
    """Refuse a caller that acts for another person, unless it is an admin or has the role for that."""
    if same_person(name, other):
        return
    if is_open():
        components().admins.require(name)
    else:
        require({Role.FOR_OTHERS})


def own_name(given: str, parameter: str) -> str | None:
    """Return the own name of an authenticated caller that gives this name or none; None if it may act for another.

    NotYou if it names another person without the role for that.
    """
    sender = callers.current()
    assert sender.identity
    own = sender.identity.name
    if not given or same_person(given, own) or same_person(given, sender.identity.label):
        return own
    if Role.FOR_OTHERS in sender.roles:
        return None
    raise NotYou(
        f"user {given} is not authorized: you are {sender.identity.label}; leave {parameter} out, or "
        f"{_ask_for(Role.FOR_OTHERS)}",
        parameter=parameter,
        you=own,
    )


def _lacking(needed: Iterable[Role], identity: Identity, has: frozenset[Role]) -> NotAllowed:
    roles = [role for role in Role if role in frozenset(needed)]
    own = ", ".join(role for role in Role if role in has) or "none"
    words = " or ".join(f"{role} ({role.meaning.partition(';')[0]})" for role in roles)
    return NotAllowed(
        f"user {identity.label} is not authorized: this needs the role {words}, and you have {own}; {_ask_for(*roles)}",
        needs=[str(role) for role in roles],
        has=[str(role) for role in Role if role in has],
    )


def _ask_for(*roles: Role) -> str:
    return f"ask {admins_text()} for the role {' or '.join(roles)}"


def admins_text() -> str:
    """Return the admins for a sentence: their names, or an operator if the service has none."""
    admins = components().roles.admins()
    if not admins:
        return "the operator of the service"
    more = f" or {len(admins) - _MOST_ADMINS} more" if len(admins) > _MOST_ADMINS else ""
    return f"an admin ({', '.join(admins[:_MOST_ADMINS])}{more})"
