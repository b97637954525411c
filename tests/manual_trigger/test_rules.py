"""Rules: which user may start which job."""

from pathlib import Path

import pytest

from cimaster.manual_trigger.access.rules import Rules, glob
from cimaster.manual_trigger.errors import NotAllowed


@pytest.mark.parametrize(
    ("pattern", "word", "fits"),
    [
        ("e2e", "e2e", True),
        ("e2e", "e2e-tnet", False),
        ("e2e", "my-e2e", False),
        ("e2e-*", "e2e-tnet", True),
        ("e2e-*", "e2e-", True),
        ("*", "master", True),
        ("*", "release/1.32", False),
        ("**", "release/1.32", True),
        ("release/*", "release/1.32", True),
        ("release/*", "release/1/2", False),
        ("release/**", "release/1/2", True),
        ("release-?", "release-1", True),
        ("release-?", "release-12", False),
        ("a?b", "a/b", False),
        ("release-[0-9]", "release-7", True),
        ("release-[0-9]", "release-x", False),
        ("[!a]b", "cb", True),
        ("[!a]b", "/b", False),
        ("[!a]b", "ab", False),
        ("tess/*", "tess/tessops", True),
        ("tess/*", "tess", False),
        ("a.b", "axb", False),
        ("a+b", "a+b", True),
        ("(a)", "(a)", True),
        ("e2e", "e2e\n", False),
        ("john", "John", False),
        ("*@example.com", "john@example.com", True),
    ],
)
def test_a_pattern_must_match_the_whole_word(pattern: str, word: str, fits: bool) -> None:
    assert (glob(pattern).fullmatch(word) is not None) is fits


def allowed(rules: Rules, *words: str, commit: bool = False) -> bool:
    try:
        rules.require(*(words or ("e2e", "tess/tessops", "master", "john")), commit=commit)
    except NotAllowed:
        return False
    return True


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "allow"


def test_a_job_may_be_started_if_one_rule_matches_all_four_words(path: Path) -> None:
    path.write_text(
        "# who may\n\nother * * *\n".replace("* * *", "*/* * *") + "e2e* tess/* master j*  # john and jane\n"
    )
    rules = Rules(str(path))
    assert allowed(rules)
    for index, word in enumerate(("xe2e", "other/tessops", "main", "alice")):
        words = ["e2e", "tess/tessops", "master", "john"]
        words[index] = word
        assert not allowed(rules, *words)


def test_a_commit_may_be_named_only_if_a_rule_allows_it(path: Path) -> None:
    path.write_text("e2e tess/tessops master john\ne2e tess/tessops release-* john base_sha  # to bisect\n")
    rules = Rules(str(path))
    assert allowed(rules)
    assert not allowed(rules, commit=True)
    for commit in (False, True):
        assert allowed(rules, "e2e", "tess/tessops", "release-1", "john", commit=commit)
    with pytest.raises(NotAllowed) as error:
        rules.require("e2e", "tess/tessops", "master", "john", commit=True)
    assert "user john may start e2e of tess/tessops only on the tip of master: leave out base_sha" in str(error.value)
    assert f"with the line e2e tess/tessops master john base_sha in {path}" in str(error.value)
    with pytest.raises(NotAllowed, match=r"no rule in .* matches; .* with the line e2e tess/x master john base_sha in"):
        rules.require("e2e", "tess/x", "master", "john", commit=True)


def test_without_a_file_the_refusal_says_how_to_allow_a_job(path: Path) -> None:
    with pytest.raises(NotAllowed) as error:
        Rules(str(path)).require("e2e", "tess/tessops", "master", "john")
    assert f"{path} does not exist" in str(error.value)
    assert f"have an operator allow it with the line e2e tess/tessops master john in {path}" in str(error.value)


def test_the_suggested_line_allows_a_user_of_any_name(path: Path) -> None:
    for user in ("Jane Doe", "dependabot[bot]", "#1 *?"):
        path.write_text("")
        with pytest.raises(NotAllowed) as error:
            Rules(str(path)).require("e2e", "tess/tessops", "master", user)
        line = str(error.value).partition("with the line ")[2].partition(" in ")[0]
        path.write_text(line + "\n")
        Rules(str(path)).require("e2e", "tess/tessops", "master", user)


def test_a_file_without_rules_allows_nothing(path: Path) -> None:
    path.write_text("# e2e tess/tessops master *\n")
    rules = Rules(str(path))
    assert not allowed(rules)
    assert rules.file.trouble == ""


def test_a_changed_file_counts_immediately(path: Path) -> None:
    rules = Rules(str(path))
    assert not allowed(rules)
    path.write_text("** ** ** **\n")
    assert allowed(rules)
    path.unlink()
    assert not allowed(rules)


@pytest.mark.parametrize(
    ("line", "error"),
    [
        ("e2e tess/tessops master", "line 2 has 3 words"),
        ("e2e tess/tessops master john jane", "line 2 has 5 words"),
        ("e2e tess/tessops master john base_sha base_sha", "line 2 has 6 words"),
        ("e2e tess master john", "write both, such as tess/*"),
        ("e2e[ tess/* master john", "has a [ without a ]"),
        ("e2e[z-a] tess/* master john", "has an unreadable set"),
    ],
)
def test_a_mistake_in_the_file_leaves_the_last_good_rules(path: Path, line: str, error: str) -> None:
    path.write_text("e2e tess/tessops master john\n")
    rules = Rules(str(path))
    assert allowed(rules)
    path.write_text(f"** ** ** **\n{line}\n")
    assert allowed(rules)
    assert not allowed(rules, "other", "tess/tessops", "master", "john")
    assert error in rules.file.trouble
    assert "the last good one stays" in rules.file.trouble
    path.write_text("other tess/tessops master john\n")
    assert allowed(rules, "other", "tess/tessops", "master", "john")
    assert rules.file.trouble == ""


def test_a_file_that_was_never_valid_allows_nothing_and_says_why(path: Path) -> None:
    path.write_text("e2e\n")
    with pytest.raises(NotAllowed, match="line 1 has 1 words"):
        Rules(str(path)).require("e2e", "tess/tessops", "master", "john")
    path.write_bytes(b"\xff\xff")
    with pytest.raises(NotAllowed, match="byte 0 is not UTF-8"):
        Rules(str(path)).require("e2e", "tess/tessops", "master", "john")
