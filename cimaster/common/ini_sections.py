"""Reads what an operator defines in the sections of an INI file, such as checks and channels of notices."""

import configparser
from collections.abc import Callable, Mapping
from dataclasses import MISSING, Field, dataclass, field, fields
from typing import Any, TypeVar

from cimaster.common.texts import printable


def key(parse: Callable[[str], Any], default: object = MISSING) -> Any:
    """Declare a key of a section: its parser (whose ValueError says what is expected) and its default, if any."""
    metadata = {"parse": parse}
    return field(metadata=metadata) if default is MISSING else field(default=default, metadata=metadata)


@dataclass(frozen=True)
class Section:
    """What one section defines; its name is that of the section."""

    name: str

    @classmethod
    def keys(cls) -> "dict[str, Field[Any]]":
        """Return the keys of a section of this kind."""
        return {each.name: each for each in fields(cls) if "parse" in each.metadata}

    def verify(self) -> None:
        """Raise ValueError, which says what to do, if the definition cannot be used in this environment."""


_Kind = TypeVar("_Kind", bound=Section)


def split(text: str) -> dict[str, dict[str, str]]:
    """Return the keys and texts of each section; ValueError if the text is not an INI file."""
    parser = configparser.ConfigParser(interpolation=None, delimiters=("=",))
    try:
        parser.read_string(text, source="the file")
    except configparser.MissingSectionHeaderError as error:  # its message has the line, which may be a secret
        raise ValueError(f"line {error.lineno} belongs to no section: write a line such as [name] before it") from None
    except configparser.ParsingError as error:
        raise ValueError(f"line {error.errors[0][0]} cannot be read: expected [name], or key = value") from None
    except configparser.Error as error:
        raise ValueError(printable(error.message)) from None
    return {name: dict(parser[name]) for name in parser.sections()}


def read(name: str, texts: Mapping[str, str], kinds: Mapping[str, type[_Kind]]) -> _Kind:
    """Return the definition in a section, of the kind that it names; ValueError says what is wrong with it."""
    kind = kinds.get(texts.get("kind", ""))
    if kind is None:
        raise ValueError(f"[{name}] has no known kind: expected kind = {', '.join(kinds)}")
    keys = kind.keys()
    if unknown := texts.keys() - keys - {"kind"}:
        raise ValueError(f"[{name}] has the unknown key {min(unknown)}: expected {', '.join(keys)}")
    if missing := [key for key, field in keys.items() if key not in texts and field.default is MISSING]:
        raise ValueError(f"[{name}] has no {missing[0]}: add it")
    found = kind(name, **{key: _parsed(name, field, texts[key]) for key, field in keys.items() if key in texts})
    try:
        found.verify()
    except ValueError as error:
        raise ValueError(f"[{name}] {error}") from None
    return found


def _parsed(name: str, key: "Field[Any]", text: str) -> Any:
    try:
        return key.metadata["parse"](text)
    except ValueError as error:
        raise ValueError(f"[{name}] {key.name} is {text!r}: expected {error}") from None
