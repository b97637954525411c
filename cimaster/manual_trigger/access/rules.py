"""Authorization: rules in a file, one per line, say who may start which job; all else is refused.

    # job          org/repo       branch       user
    e2e-*          tess/tessops   master       **
    e2e-*          tess/tessops   release-*    alice
    bisect         tess/tessops   master       alice    base_sha

A pattern must match the whole word. `*` is any text without a `/`, `**` any text, `?` one character, `[a-z]` and
`[!a-z]` one of a set. A periodic job has the repository and branch of its first extra_refs, else `-/-` and `-`.

A rule lets a job run on the branch's tip. With `base_sha` at its end it lets callers name any commit instead, which may
be of a pull request or a fork: the service cannot tell where a commit comes from.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from cimaster.common.watched_file import WatchedFile
from cimaster.manual_trigger.errors import NotAllowed

_PARTS = ("job", "org/repo", "branch", "user")
_ANY_COMMIT = "base_sha"
_COMMENT = re.compile(r"(^|\s)#.*")  # a # inside a word may belong to a branch's name
_UNWRITABLE = re.compile(r"[\s*?#\[\]]")  # these have a meaning in patterns
_TOKEN = re.compile(
    r"(?P<all>\*\*+)|(?P<some>\*)|(?P<one>\?)|\[(?P<not>!?)(?P<set>[^]/\\[^]+)\]|(?P<open>\[)|(?P<char>.)"
)


@dataclass(frozen=True)
class Rule:
    """One line: four patterns, and whether callers may name a commit."""

    patterns: tuple[re.Pattern[str], ...]
    any_commit: bool = False

    def allows(self, words: Sequence[str], *, commit: bool) -> bool:
        """Say whether job, repository, branch and user all match, and whether a commit may be named if one is."""
        fits = all(pattern.fullmatch(word) for pattern, word in zip(self.patterns, words, strict=True))
        return fits and (self.any_commit or not commit)


def parse(text: str) -> tuple[Rule, ...]:
    """Read the rules; raise ValueError that names the first wrong line."""
    return tuple(_rule(number, line) for number, line in enumerate(text.splitlines(), 1) if _words(line))


def _words(line: str) -> list[str]:
    return _COMMENT.sub("", line).split()


def _rule(number: int, line: str) -> Rule:
    words = _words(line)
    any_commit = len(words) == len(_PARTS) + 1 and words[-1] == _ANY_COMMIT
    if any_commit:
        words.pop()
    if len(words) != len(_PARTS):
        expected = f"write {len(_PARTS)}: {', '.join(_PARTS)}; and {_ANY_COMMIT} as a fifth to allow commits"
        raise ValueError(f"line {number} has {len(words)} words: {expected}")
    if "/" not in words[1] and words[1] != "**":
        raise ValueError(f"line {number} has {words[1]!r} for org/repo: write both, such as tess/*")
    try:
        return Rule(tuple(glob(word) for word in words), any_commit)
    except ValueError as error:
        raise ValueError(f"line {number}: {error}") from None


def glob(pattern: str) -> re.Pattern[str]:
    """Translate a shell-style pattern into a regular expression; raise ValueError for a wrong set."""
    made = []
    for token in _TOKEN.finditer(pattern):
        if token["open"]:
            raise ValueError(f"{pattern!r} has a [ without a ]: write a set as [a-z]")
        if token["set"]:
            made.append(f"[{'^/' if token['not'] else ''}{token['set']}]")
        else:
            made.append(
                ".*" if token["all"] else "[^/]*" if token["some"] else "[^/]" if token["one"] else re.escape(token[0])
            )
    try:
        return re.compile("".join(made))
    except re.error:
        raise ValueError(f"{pattern!r} has an unreadable set: write a set as [a-z]") from None


class Rules:
    """The rules of a file; if it has an error, the last good rules stay in force."""

    def __init__(self, path: str) -> None:
        self.file: WatchedFile[tuple[Rule, ...]] = WatchedFile(path, parse, (), keep_last_good=True)

    def require(self, job: str, repository: str, branch: str, user: str, *, commit: bool = False) -> None:
        """Raise NotAllowed, with the line that would allow it, unless a rule does; `commit`: the request names one."""
        rules, words = self.file.value, (job, repository, branch, user)
        if any(rule.allows(words, commit=commit) for rule in rules):
            return
        wanted = (*words[:3], _UNWRITABLE.sub("?", user))
        line = " ".join((*wanted, _ANY_COMMIT) if commit else wanted)
        if commit and any(rule.allows(words, commit=False) for rule in rules):
            raise NotAllowed(
                f"user {user} may start {job} of {repository} only on the tip of {branch}: leave out {_ANY_COMMIT}, or "
                f"have an operator allow commits, those of forks too, with the line {line} in {self.file.path}"
            )
        why = self.file.trouble or (f"no rule in {self.file.path} matches" if rules else "there are no rules")
        raise NotAllowed(
            f"user {user} may not start {job} of {repository} on {branch}: {why}; have an operator allow it with the "
            f"line {line} in {self.file.path}"
        )
