"""The command `cimaster token`: makes a token for a caller, and its line for the service's token file.

It needs neither settings nor a store nor a library, so that an operator can run it anywhere.
"""

import argparse
import getpass
import re
import secrets
import sys

from cimaster.common.token_file import hashed_line
from cimaster.web.identity import names

_SHORTEST, _LONGEST = 20, 4096  # characters of a token
_TOKEN = re.compile(r"[!-~]+")


def main(arguments: list[str]) -> int:
    """Run the command; return its exit status: 0 done, 1 refused, 2 wrong arguments."""
    options = parser().parse_args(arguments[1:])
    return _hash(options.name) if options.hash else _make(options.name)


def parser() -> argparse.ArgumentParser:
    """Return the parser of the command line."""
    described = (
        "Make a token for a caller, and write it to standard output. Its line for the service's token file goes to "
        "standard error."
    )
    parser = argparse.ArgumentParser(prog="cimaster token", description=described, allow_abbrev=False)
    parser.add_argument("name", type=_name, help="the caller that the token identifies, such as alice")
    parser.add_argument(
        "--hash",
        action="store_true",
        help="make no token, but read one from standard input and write its line to standard output",
    )
    return parser


def _make(name: str) -> int:
    token = secrets.token_urlsafe(32)
    print(token, flush=True)
    sentence = "the token is shown only this once. Add this line to the token file of each service that accepts it"
    print(f"cimaster: {sentence}:\n{hashed_line(token, name)}", file=sys.stderr)
    return 0


def _hash(name: str) -> int:
    token = _token_from_input()
    if token.lower().startswith("sha256:"):
        return _refused("it is a hash already; give the token itself")
    if not _SHORTEST <= len(token) <= _LONGEST or not _TOKEN.fullmatch(token):
        return _refused(
            f"expected {_SHORTEST} to {_LONGEST} printable ASCII characters without blanks, as `cimaster token` makes"
        )
    print(hashed_line(token, name))
    return 0


def _token_from_input() -> str:
    if sys.stdin.isatty():
        return getpass.getpass("Token: ").strip()
    return sys.stdin.buffer.read(_LONGEST + 3).decode("ascii", "replace").strip()


def _refused(reason: str) -> int:
    print(f"cimaster: standard input has no token that can be used: {reason}", file=sys.stderr)
    return 1


def _name(text: str) -> str:
    if "#" in text:
        raise argparse.ArgumentTypeError("the name cannot be used: expected one without #, which begins comments")
    try:
        return names.caller(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"the name cannot be used: expected {error}") from None
