"""Refusals of requests that this caller may not send, or not in this way."""

from cimaster.common.errors import Refusal


class NotAuthorized(Refusal):
    """The caller may not do this; the holder or an admin can."""

    code = "not_authorized"
    status = 403


class NotAllowed(Refusal):
    """The caller has no role that allows this request."""

    code = "not_allowed"
    status = 403


class NotOwner(Refusal):
    """The lease, ticket or creation belongs to another caller; its owner or an admin can change it."""

    code = "not_owner"
    status = 403


class CrossOrigin(Refusal):
    """A browser sent the request on behalf of another site."""

    code = "cross_origin"
    status = 403


class UnknownHost(Refusal):
    """A browser reached the service under a name that is not in its settings."""

    code = "unknown_host"
    status = 421


class UsePost(Refusal):
    """A browser's GET (a link, a preview, a prefetch) asked for a change: send it by POST."""

    code = "use_post"
    status = 405
