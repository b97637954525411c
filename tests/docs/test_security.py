"""The page about security: each attack that it lists is tried by a test of that name."""

import ast

from tests.docs import markdown


def test_each_attack_names_tests_that_exist() -> None:
    named = {name for name in markdown.ticked("docs/security.md") if name.startswith("test_")}
    assert len(named) > 50
    assert not named - names_of_tests()


def test_each_attack_names_a_test() -> None:
    rows = markdown.rows(markdown.section("docs/security.md", "## Attacks and what happens"))
    attacks = [row for row in rows if row[0] != "attack" and set(row[0]) != {"-"}]
    assert len(attacks) > 30
    assert not [attack for attack, _, test in attacks if not test.startswith("`test_")]


def names_of_tests() -> set[str]:
    """Return the names of all tests."""
    modules = [ast.parse(path.read_text("utf-8")) for path in (markdown.ROOT / "tests").rglob("test_*.py")]
    functions = [node for module in modules for node in ast.walk(module) if isinstance(node, ast.FunctionDef)]
    return {function.name for function in functions if function.name.startswith("test_")}
