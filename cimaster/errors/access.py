"""Refusals of requests that this caller may not send, or not in this way."""

from cimaster.common.errors import Refusal


class NotAuthorized(Refusal):
    """The caller may not do this; the holder or an admin can."""

    code = "not_authorized"
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


class NoCredential(Refusal):
    """The request has no credential, and the service requires one (`auth = required`)."""

    code = "no_credential"
    status = 401


class BadCredential(Refusal):
    """The request's credential is unknown, is over, or cannot be used for this request."""

    code = "bad_credential"
    status = 401


class TwoCredentials(Refusal):
    """The request has more than one credential."""

    code = "two_credentials"
    status = 400


class BadProxyHeader(Refusal):
    """The request has headers of an authenticating proxy that cannot be trusted or read."""

    code = "bad_proxy_header"
    status = 400


class IdentityUnavailable(Refusal):
    """The API server cannot be asked whether the token of a service account is valid."""

    code = "identity_unavailable"
    status = 503


class NotAllowed(Refusal):
    """The caller lacks the role that this needs."""

    code = "not_allowed"
    status = 403


class NotYou(Refusal):
    """The caller names another person, and may not."""

    code = "not_you"
    status = 403


class NotOwner(Refusal):
    """Another caller owns the lease, the ticket or the creation; the owner or an admin can do this."""

    code = "not_owner"
    status = 403
