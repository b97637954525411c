"""Who may start what: rules in a file, one per line; what no rule allows is not allowed.

    # job          org/repo       branch       user
    e2e-*          tess/tessops   master       **
    e2e-*          tess/tessops   release-*    alice

Patterns fit the whole word. `*` is any text without a `/`, `**` any text, `?` one character, `[a-z]` and `[!a-z]` one
of a set. A periodic job has the repository and branch of its first extra_refs, else `-/-` and `-`.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from cimaster.manual_trigger.errors import NotAllowed
from cimaster.manual_trigger.mounted import MountedFile

_PARTS = ("job", "org/repo", "branch", "user")
_COMMENT = re.compile(r"(^|\s)#.*")  # a # within a word may be part of a branch's name
_TOKEN = re.compile(
    r"(?P<all>\*\*+)|(?P<some>\*)|(?P<one>\?)|\[(?P<not>!?)(?P<set>[^]/\\[^]+)\]|(?P<open>\[)|(?P<char>.)"
)


@dataclass(frozen=True)
class Rule:
    """One line: four patterns."""

    patterns: tuple[re.Pattern[str], ...]

    def allows(self, words: Sequence[str]) -> bool:
        """Say whether job, repository, branch and user all fit."""
        return all(pattern.fullmatch(word) for pattern, word in zip(self.patterns, words, strict=True))


def parse(text: str) -> tuple[Rule, ...]:
    """Read the rules; ValueError names the first line that is none."""
    return tuple(_rule(number, line) for number, line in enumerate(text.splitlines(), 1) if _words(line))


def _words(line: str) -> list[str]:
    return _COMMENT.sub("", line).split()


def _rule(number: int, line: str) -> Rule:
    words = _words(line)
    if len(words) != len(_PARTS):
        raise ValueError(f"line {number} has {len(words)} words, and a rule has {len(_PARTS)}: {', '.join(_PARTS)}")
    if "/" not in words[1] and words[1] != "**":
        raise ValueError(f"line {number} has {words[1]!r} for org/repo: write both, such as tess/*")
    try:
        return Rule(tuple(glob(word) for word in words))
    except ValueError as error:
        raise ValueError(f"line {number}: {error}") from None


def glob(pattern: str) -> re.Pattern[str]:
    """Return the expression that a shell-style pattern stands for; ValueError for a set that does not end."""
    made = []
    for token in _TOKEN.finditer(pattern):
        if token["open"]:
            raise ValueError(f"{pattern!r} has a [ without an end; write a set as [a-z]")
        if token["set"]:
            made.append(f"[{'^/' if token['not'] else ''}{token['set']}]")
        else:
            made.append(
                ".*" if token["all"] else "[^/]*" if token["some"] else "[^/]" if token["one"] else re.escape(token[0])
            )
    try:
        return re.compile("".join(made))
    except re.error:
        raise ValueError(f"{pattern!r} has a set that cannot be read; write a set as [a-z]") from None


class Rules:
    """The rules of a file; a slip in it leaves the last good ones in force."""

    def __init__(self, path: str) -> None:
        self.file: MountedFile[tuple[Rule, ...]] = MountedFile(path, parse, (), keeps=True)

    def require(self, job: str, repository: str, branch: str, user: str) -> None:
        """Raise NotAllowed, with the line that would allow it, unless a rule does."""
        rules = self.file.value
        if any(rule.allows((job, repository, branch, user)) for rule in rules):
            return
        why = self.file.trouble or (f"no rule in {self.file.path} fits" if rules else "there are no rules")
        raise NotAllowed(
            f"user {user} may not start {job} of {repository} on {branch}: {why}; an operator allows it with the line "
            f"{job} {repository} {branch} {user} in {self.file.path}"
        )
