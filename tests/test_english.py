"""Plain English: words and openings that make a sentence hard to read are banned from all that people read.

CHANGELOG.md is exempt: its entries say what was true when they were written.
"""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
SUFFIXES = (".py", ".html", ".md", ".yaml", ".yml", ".js", ".txt", ".svg")
FOLDERS = ("cimaster", "tests", "k8s", "docs")
EXEMPT = {"CHANGELOG.md", "test_english.py"}
DATA = ROOT / "tests" / "manual_trigger" / "data"  # files as Prow and its users have them

# A sentence such as "Who waits is served", or "; who asks again is refused": the reader has to guess the actor.
# Questions may begin with Who, and a relative clause has its noun before it ("the person who holds it").
_OPENING = re.compile(
    r"""
    (?:^[ \t]*(?:\#|//|\*|-|<!--|\"{1,3}|')?[ \t]*|[.!?]["')]?[ ]+|>[ ]*) Who(?:se|m)?[ ](?![^.!\n]*\?)
    | ;[ ]+ who(?:se|m)?[ ]
    | :[ ]+ who(?:se|m)?(?:[ ]\w+){1,5}?[ ](?:is|are|was|gets|has|takes|keeps|cannot|may|waits|can)\b
    """,
    re.MULTILINE | re.VERBOSE,
)
BANNED = {
    "a clause with who as the subject: name the actor": _OPENING,
    "somebody, nobody, whoever: name the actor": re.compile(r"\b(?:somebody|nobody|whoever|whomever|whosever)\b", re.I),
    "of old: say legacy, former, or as before": re.compile(r"\bof[ _]old\b", re.I),
    "a number at once: say concurrently, or a burst": re.compile(
        r"\b(?:\d+|two|three|many|several|served) at once\b", re.I
    ),
    "a test named after who does it: name the behaviour": re.compile(
        r"\btest_(?:who(?:se|m|ever)?_\w+|\w*(?:somebody|nobody|whoever)\w*)"
    ),
}


def texts() -> list[Path]:
    """Return the files that people read."""
    below = [path for folder in FOLDERS for path in (ROOT / folder).rglob("*") if path.suffix in SUFFIXES]
    paths = [*ROOT.glob("*.md"), *ROOT.glob("*.py"), *below]
    return sorted(path for path in paths if path.name not in EXEMPT and not vendored(path))


def vendored(path: Path) -> bool:
    """Say whether a file was written elsewhere: a library, a cache, or data of Prow."""
    return (
        DATA in path.parents
        or ".cache" in path.parts
        or "vendor" in path.parts
        or ".min." in path.name
        or "htmx" in path.name
    )


def hits(path: Path, pattern: re.Pattern[str]) -> Iterator[str]:
    """Yield the place and the line of each find in a file."""
    text = path.read_text("utf-8")
    for found in pattern.finditer(text):
        word = found.end() - 1
        begin, end = text.rfind("\n", 0, word) + 1, text.find("\n", word)
        line = text[begin : end if end >= 0 else len(text)].strip()
        yield f"{path.relative_to(ROOT)}:{text.count(chr(10), 0, word) + 1}: {line[:120]}"


@pytest.mark.parametrize("reason", BANNED)
def test_no_text_has_words_that_are_hard_to_read(reason: str) -> None:
    found = [hit for path in texts() for hit in hits(path, BANNED[reason])]
    assert not found, "\n".join([f"{len(found)} places: {reason}", *found])


@pytest.mark.parametrize(
    "text", ["Who waits is served.", "# Done; who asks again gets it", '"""Whose lease it is pays."""']
)
def test_a_clause_as_subject_is_found(text: str) -> None:
    assert _OPENING.search(text)


@pytest.mark.parametrize("text", ["Who are you?", "the person who holds it", "# see who has it"])
def test_questions_and_relative_clauses_are_allowed(text: str) -> None:
    assert not _OPENING.search(text)
