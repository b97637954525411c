"""Static tokens: the file names their callers, and a session ends with the line of its token."""

from pathlib import Path

import pytest

from cimaster.common.token_file import hashed_line
from cimaster.web.identity.identity import Source
from cimaster.web.identity.static_tokens import StaticTokens

FIRST, SECOND = "the-first-token-of-alice", "the-second-token-of-alice"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    (tmp_path / "tokens").write_text(f"{hashed_line(FIRST, 'Alice')}\n{hashed_line(SECOND, 'Alice')}\n")
    return tmp_path / "tokens"


def test_a_token_identifies_its_caller(path: Path) -> None:
    tokens = StaticTokens(str(path))
    identity = tokens.find(FIRST)
    assert identity is not None
    assert (identity.name, identity.source, identity.groups, identity.expires) == (
        "Alice",
        Source.STATIC,
        frozenset(),
        None,
    )
    assert (tokens.find("another"), tokens.find(""), tokens.trouble) == (None, None, "")
    assert FIRST not in repr(identity)


def test_what_began_with_a_token_ends_with_its_line(path: Path) -> None:
    tokens = StaticTokens(str(path))
    first, second = tokens.find(FIRST), tokens.find(SECOND)
    assert first is not None
    assert second is not None
    assert first.credential != second.credential
    assert tokens.has("Alice", first.credential)
    assert not tokens.has("bob", first.credential)
    assert not tokens.has("Alice", first.credential[:-1])
    assert not tokens.has("Alice", "")
    path.write_text(f"{hashed_line(SECOND, 'Alice')}\n")
    assert (tokens.has("Alice", first.credential), tokens.has("Alice", second.credential)) == (False, True)
    assert (tokens.find(FIRST), tokens.find(SECOND)) == (None, second)


@pytest.mark.parametrize(
    "name",
    [
        "system:serviceaccount:ci:e2e",
        "System:admin",
        "\u017fystem:admin",
        "group:dev",
        "email:alice@example.com",
        "\ufb01ona",  # would count as fiona
        "wei\u00df",  # would count as weiss
        "\u212aevin",  # would count as kevin
        "a\u200bb",
        "x" * 64,
    ],
)
def test_a_name_that_could_be_another_callers_is_refused(path: Path, name: str) -> None:
    path.write_text(f"{hashed_line(FIRST, 'Alice')}\n{hashed_line('another-token', name)}\n", "utf-8")
    tokens = StaticTokens(str(path))
    assert tokens.find(FIRST) is None
    assert "the name in line 2 cannot be used: expected a name" in tokens.trouble


def test_without_its_file_no_token_is_known(path: Path) -> None:
    tokens = StaticTokens(str(path))
    assert tokens.find(FIRST)
    path.unlink()
    assert tokens.find(FIRST) is None
    assert "does not exist" in tokens.trouble
