"""The rules of the code that no linter checks: sizes, names, and what is allowed in one place only."""

import ast
import tokenize
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from statistics import median

ROOT = Path(__file__).parent.parent
PROGRAM = sorted((ROOT / "cimaster").rglob("*.py"))
TESTS = [path for path in sorted((ROOT / "tests").rglob("*.py")) if ".cache" not in path.parts]

MODULE_LINES = 250
FUNCTION_LINES = 40
MEDIAN_FUNCTION_LINES = 8
TEST_NAME_LENGTH = 70
NOQA_COMMENTS = 15
TYPE_IGNORE_COMMENTS = 4
VAGUE_NAMES = {"base", "common", "helpers", "manager", "misc", "util", "utils"}


def functions(path: Path) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    """Yield the functions of a module, also those inside classes and functions."""
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield node


def length(function: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    """Return the lines from `def` to the end."""
    assert function.end_lineno
    return function.end_lineno - function.lineno + 1


def place(path: Path, line: int) -> str:
    """Return where something is, as editors open it."""
    return f"{path.relative_to(ROOT)}:{line}"


def comments(words: str) -> list[str]:
    """Return the places of comments that contain these words, in the program and its tests."""
    return [where for where, comment in _comments() if words in comment]


@cache
def _comments() -> list[tuple[str, str]]:
    found = []
    for path in [*PROGRAM, *TESTS]:
        with tokenize.open(path) as text:
            tokens = [token for token in tokenize.generate_tokens(text.readline) if token.type == tokenize.COMMENT]
        found += [(place(path, token.start[0]), token.string) for token in tokens]
    return found


def reads_environment(node: ast.AST) -> bool:
    """Say whether a node is `os.environ` or `os.getenv`, or imports one of them."""
    if isinstance(node, ast.ImportFrom):
        return node.module == "os" and any(name.name in ("environ", "getenv") for name in node.names)
    return (
        isinstance(node, ast.Attribute)
        and node.attr in ("environ", "getenv")
        and isinstance(node.value, ast.Name)
        and node.value.id == "os"
    )


def test_no_module_is_long() -> None:
    lines = {path: len(path.read_text("utf-8").splitlines()) for path in PROGRAM}
    assert not [f"{place(path, count)}: {count} lines" for path, count in lines.items() if count > MODULE_LINES]


def test_no_function_is_long() -> None:
    assert not [
        f"{place(path, function.lineno)}: {function.name} has {length(function)} lines"
        for path in PROGRAM
        for function in functions(path)
        if length(function) > FUNCTION_LINES
    ]


def test_most_functions_are_short() -> None:
    assert median(length(function) for path in PROGRAM for function in functions(path)) <= MEDIAN_FUNCTION_LINES


def test_no_line_is_kept_from_the_formatter() -> None:
    assert not [found for word in ("skip", "off") for found in comments(f"fmt: {word}")]


def test_few_lines_are_kept_from_the_linter() -> None:
    found = comments("noqa")
    assert len(found) <= NOQA_COMMENTS, found


def test_few_lines_are_kept_from_the_type_checker() -> None:
    found = comments("type: ignore")
    assert len(found) <= TYPE_IGNORE_COMMENTS, found


def test_names_of_tests_are_short() -> None:
    assert not [
        f"{place(path, function.lineno)}: {function.name}"
        for path in TESTS
        for function in functions(path)
        if function.name.startswith("test_") and len(function.name) > TEST_NAME_LENGTH
    ]


def test_only_settings_read_the_environment() -> None:
    assert not [
        place(path, getattr(node, "lineno", 0))
        for path in PROGRAM
        if path.name != "settings.py"
        for node in ast.walk(ast.parse(path.read_text("utf-8")))
        if reads_environment(node)
    ]


def test_no_module_has_a_vague_name() -> None:
    assert not [place(path, 1) for path in [*PROGRAM, *TESTS] if path.stem in VAGUE_NAMES]
