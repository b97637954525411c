"""Requests that cannot be read, or that this caller may not send."""

from cimaster.errors.refusal import Refusal


class MissingParameter(Refusal):
    """A required parameter was not given."""

    code = "missing_parameter"
    status = 400


class UnknownParameter(Refusal):
    """A parameter that the endpoint does not have; the sentence names the nearest one that it has."""

    code = "unknown_parameter"
    status = 400


class BadParameter(Refusal):
    """A parameter whose value is not of the expected form."""

    code = "bad_parameter"
    status = 400


class BadBody(Refusal):
    """A request body that cannot be read as parameters."""

    code = "bad_body"
    status = 400


class NotAuthorized(Refusal):
    """The caller may not do this."""

    code = "not_authorized"
    status = 403


class CrossOrigin(Refusal):
    """A browser sent the request on behalf of another site."""

    code = "cross_origin"
    status = 403


class UnknownHost(Refusal):
    """A browser reached the service under a name that it does not know to be its own."""

    code = "unknown_host"
    status = 421


class UsePost(Refusal):
    """A browser's GET (a link, a preview, a prefetch) asked for a change."""

    code = "use_post"
    status = 405
