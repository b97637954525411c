"""The base classes of refusals and outages, and the refusals that both programs share."""

from typing import ClassVar, Self


class Problem(Exception):
    """A request that cannot be answered with its result.

    `code` is stable and part of the API; `status` is the HTTP status; the message is one sentence that names the
    remedy; `facts` are further members of the answer (holder, parameter, ...); `retry_after` is in seconds, set if a
    later retry makes sense.
    """

    code: ClassVar[str] = "refused"
    status: ClassVar[int] = 500

    def __init__(self, sentence: str, *, retry_after: int | None = None, **facts: object) -> None:
        super().__init__(sentence)
        self.sentence = sentence
        self.retry_after = retry_after
        self.facts = facts

    def again(self) -> Self:
        """Return a copy to be raised again: an exception that was raised belongs to one thread."""
        return type(self)(self.sentence, retry_after=self.retry_after, **self.facts)


class Refusal(Problem):
    """A request that is refused because of what it asks for, or because of the state of the pool."""


class MissingParameter(Refusal):
    """A required parameter is missing."""

    code = "missing_parameter"
    status = 400


class UnknownParameter(Refusal):
    """A parameter that the endpoint does not have; the sentence names the most similar one."""

    code = "unknown_parameter"
    status = 400


class BadParameter(Refusal):
    """A parameter whose value does not have the expected form."""

    code = "bad_parameter"
    status = 400


class BadBody(Refusal):
    """A request body that cannot be read as parameters."""

    code = "bad_body"
    status = 400


class RequestIdReused(Refusal):
    """The request_id was used before for another endpoint or with other parameters."""

    code = "request_id_reused"
    status = 422
