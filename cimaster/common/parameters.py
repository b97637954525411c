"""Typed parameters: a dataclass declares what a request may carry, and `read` makes one from what was sent.

    CLUSTER = ParameterType(parsers.compared, "name of the cluster")

    @dataclass(frozen=True, kw_only=True)
    class RenewLease(Parameters):
        cluster: str = CLUSTER.required()
        ttl: timedelta | None = TTL.optional(None)

mypy checks each use of a parameter; documentation reads the same declarations.
"""

import difflib
import keyword
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, fields, replace
from typing import Any, Generic, TypeVar

from werkzeug.datastructures import MultiDict

from cimaster.common.errors import BadParameter, MissingParameter, UnknownParameter
from cimaster.common.texts import printable

T = TypeVar("T")
D = TypeVar("D")
P = TypeVar("P", bound="Parameters")
ECHO = 60  # characters of what was sent that a refusal repeats
_DECLARED = "parameter"


@dataclass(frozen=True)
class ParameterType(Generic[T]):
    """How the text of a parameter is read (ValueError says what is expected), what it means, and its openapi schema."""

    read: Callable[[str], T]
    meaning: str
    schema: str = ""

    def meant(self, meaning: str) -> "ParameterType[T]":
        """Return the same type for a parameter with another meaning."""
        return replace(self, meaning=meaning)

    # These declare a field of a Parameters class. They return a dataclass field but are annotated with the type of its
    # value, because type checkers take the right side of `=` for the field's default value.
    def required(self) -> T:
        """Declare a required parameter."""
        declared: T = self._declared(required=True)
        return declared

    def optional(self, default: D) -> T | D:
        """Declare a parameter that is `default` if it is not sent."""
        declared: T | D = self._declared(default=default)
        return declared

    def repeated(self) -> tuple[T, ...]:
        """Declare a parameter that may be sent any number of times."""
        declared: tuple[T, ...] = self._declared(default=(), repeated=True)
        return declared

    def _declared(self, required: bool = False, repeated: bool = False, **default: Any) -> Any:
        parameter = Parameter("", self.read, self.meaning, self.schema, required, repeated)
        return field(**default, metadata={_DECLARED: parameter})


@dataclass(frozen=True)
class Parameter:
    """One parameter as it was declared."""

    name: str
    read: Callable[[str], Any]
    meaning: str
    schema: str
    required: bool
    repeated: bool

    @property
    def field(self) -> str:
        """The field of the dataclass: its name, with an underscore if that is a keyword of Python."""
        return f"{self.name}_" if keyword.iskeyword(self.name) else self.name

    def needed(self) -> "Parameter":
        """Return the same parameter, required."""
        return replace(self, required=True)

    @property
    def missing(self) -> MissingParameter:
        """The refusal of a request without it."""
        return MissingParameter(f"{self.name} is required: {self.meaning}", parameter=self.name)

    def values(self, texts: Sequence[str]) -> tuple[Any, ...]:
        """Read the texts that were sent; an empty one counts as not sent. A refusal names the parameter."""
        if not texts:
            if self.required:
                raise self.missing
            return ()
        if len(texts) > 1 and not self.repeated:
            raise BadParameter(f"{self.name} is given {len(texts)} times: give it once", parameter=self.name)
        found = [text.strip() for text in texts if printable(text)]
        if self.required and not found:
            raise BadParameter(f"{self.name} is empty: give it a value", parameter=self.name)
        return tuple(self._value(text) for text in found)

    def _value(self, text: str) -> Any:
        try:
            return self.read(text)
        except ValueError as error:
            raise bad(self.name, text, str(error)) from None


@dataclass(frozen=True, kw_only=True)
class Parameters:
    """The parameters of one request. Subclasses declare them as fields."""

    @classmethod
    def declared(cls) -> tuple[Parameter, ...]:
        """Return the declared parameters, in order."""
        declared = (f for f in fields(cls) if _DECLARED in f.metadata)
        return tuple(replace(f.metadata[_DECLARED], name=f.name.removesuffix("_")) for f in declared)

    def first(self, *names: str) -> str:
        """Return the first of these parameters that has a value, as text; for logs."""
        values = (getattr(self, name, None) for name in names)
        return next((str(value) for value in values if value), "")


def read(kind: type[P], declared: Sequence[Parameter], sent: "MultiDict[str, str]") -> P:
    """Read what was sent as parameters of a kind; a refusal names the parameter and the remedy.

    `declared` are the parameters of that kind; a form may require more of them than the API does.
    """
    values: dict[str, Any] = {}
    for parameter in declared:
        found = parameter.values(sent.getlist(parameter.name))
        if found:
            values[parameter.field] = found if parameter.repeated else found[0]
    return kind(**values)


def unknown(path: str, name: str, known: Sequence[str]) -> UnknownParameter:
    """Return the refusal of a parameter that the path does not have; it names the most similar one, or all."""
    near = difflib.get_close_matches(name, known, n=1, cutoff=0.5)
    remedy = f"did you mean {near[0]}?" if near else f"it takes {', '.join(known) or 'none'}"
    return UnknownParameter(f"{path} has no parameter {echo(name)}: {remedy}", parameter=name[:ECHO])


def bad(name: str, text: str, expected: str) -> BadParameter:
    """Return the refusal of a value: which parameter, what was sent, what was expected."""
    return unreadable(name, echo(text), expected)


def unreadable(name: str, what: str, expected: str) -> BadParameter:
    """Return the refusal of a value that is described, such as `a list`."""
    return BadParameter(f"{name[:ECHO]} is {what}: expected {expected}", parameter=name[:ECHO])


def echo(text: str) -> str:
    """Return what was sent as a refusal may repeat it."""
    return ascii(text) if len(text) <= ECHO else f"{text[:40]!a}... ({len(text)} characters)"
