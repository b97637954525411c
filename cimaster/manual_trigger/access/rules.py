"""Who may start what: rules in a file, one per line; what no rule allows is not allowed.

    # job          org/repo       branch       user
    e2e-*          tess/tessops   master       **
    e2e-*          tess/tessops   release-*    alice
    bisect         tess/tessops   master       alice    base_sha

Patterns fit the whole word. `*` is any text without a `/`, `**` any text, `?` one character, `[a-z]` and `[!a-z]` one
of a set. A periodic job has the repository and branch of its first extra_refs, else `-/-` and `-`.

A rule lets a job run on the branch's tip. With `base_sha` at its end it lets callers name any commit instead: of a pull
request or a fork too, since nothing here can tell where a commit comes from.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from cimaster.common.watched_file import WatchedFile
from cimaster.manual_trigger.errors import NotAllowed

_PARTS = ("job", "org/repo", "branch", "user")
_ANY_COMMIT = "base_sha"
_COMMENT = re.compile(r"(^|\s)#.*")  # a # within a word may be part of a branch's name
_UNWRITABLE = re.compile(r"[\s*?#\[\]]")  # in a pattern for just one name
_TOKEN = re.compile(
    r"(?P<all>\*\*+)|(?P<some>\*)|(?P<one>\?)|\[(?P<not>!?)(?P<set>[^]/\\[^]+)\]|(?P<open>\[)|(?P<char>.)"
)


@dataclass(frozen=True)
class Rule:
    """One line: four patterns, and whether callers may name a commit."""

    patterns: tuple[re.Pattern[str], ...]
    any_commit: bool = False

    def allows(self, words: Sequence[str], *, commit: bool) -> bool:
        """Say whether job, repository, branch and user all fit, and the commit if one is named."""
        fits = all(pattern.fullmatch(word) for pattern, word in zip(self.patterns, words, strict=True))
        return fits and (self.any_commit or not commit)


def parse(text: str) -> tuple[Rule, ...]:
    """Read the rules; ValueError names the first line that is none."""
    return tuple(_rule(number, line) for number, line in enumerate(text.splitlines(), 1) if _words(line))


def _words(line: str) -> list[str]:
    return _COMMENT.sub("", line).split()


def _rule(number: int, line: str) -> Rule:
    words = _words(line)
    any_commit = len(words) == len(_PARTS) + 1 and words[-1] == _ANY_COMMIT
    if any_commit:
        words.pop()
    if len(words) != len(_PARTS):
        expected = f"a rule has {len(_PARTS)}: {', '.join(_PARTS)}; and {_ANY_COMMIT} as a fifth where it is allowed"
        raise ValueError(f"line {number} has {len(words)} words, and {expected}")
    if "/" not in words[1] and words[1] != "**":
        raise ValueError(f"line {number} has {words[1]!r} for org/repo: write both, such as tess/*")
    try:
        return Rule(tuple(glob(word) for word in words), any_commit)
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
        self.file: WatchedFile[tuple[Rule, ...]] = WatchedFile(path, parse, (), keeps=True)

    def require(self, job: str, repository: str, branch: str, user: str, *, commit: bool = False) -> None:
        """Raise NotAllowed, with the line that would allow it, unless a rule does; `commit` says that one is named."""
        rules, words = self.file.value, (job, repository, branch, user)
        if any(rule.allows(words, commit=commit) for rule in rules):
            return
        wanted = (*words[:3], _UNWRITABLE.sub("?", user))
        line = " ".join((*wanted, _ANY_COMMIT) if commit else wanted)
        if commit and any(rule.allows(words, commit=False) for rule in rules):
            raise NotAllowed(
                f"user {user} may start {job} of {repository} on the tip of {branch}, and not at a commit: leave out "
                f"{_ANY_COMMIT}, or an operator allows commits, of forks too, with the line {line} in {self.file.path}"
            )
        why = self.file.trouble or (f"no rule in {self.file.path} fits" if rules else "there are no rules")
        raise NotAllowed(
            f"user {user} may not start {job} of {repository} on {branch}: {why}; an operator allows it with the line "
            f"{line} in {self.file.path}"
        )
