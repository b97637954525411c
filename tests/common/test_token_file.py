"""The files of tokens: hashed lines for both programs, raw ones for manual-trigger only, and no secret in any text."""

import hashlib
import logging
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cimaster.common.token_file import TokenFile, digest, hashed_line

SECRET = "s3cret-of-alice-which-is-long"
OTHER = "s3cret-of-bob-which-is-long"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "tokens"


def name_of(file: TokenFile, token: str) -> str | None:
    known = file.find(token)
    return known.name if known else None


def test_a_hashed_line_gives_a_token_its_name(path: Path) -> None:
    path.write_text(
        f"# callers\n\n{hashed_line(SECRET, 'alice')}\r\n  {hashed_line(OTHER, 'Jane Doe')}  \n", newline=""
    )
    file = TokenFile(str(path))
    assert (name_of(file, SECRET), name_of(file, OTHER)) == ("alice", "Jane Doe")
    known = file.find(SECRET)
    assert known is not None
    assert known.credential == hashlib.sha256(SECRET.encode()).hexdigest()[:16]
    assert SECRET not in repr(known)
    assert digest(SECRET).hex() not in repr(known)
    assert [file.find(text) for text in ("", "x", SECRET[:-1], f"{SECRET} ", hashed_line(SECRET, "alice"))] == [
        None
    ] * 5


def test_the_hash_is_no_token(path: Path) -> None:
    path.write_text(hashed_line(SECRET, "alice"))
    for raw in (False, True):
        file = TokenFile(str(path), raw=raw)
        assert file.find(f"sha256:{digest(SECRET).hex()}") is None
        assert name_of(file, SECRET) == "alice"


def test_a_caller_may_have_two_tokens(path: Path) -> None:
    path.write_text(f"{hashed_line(SECRET, 'alice')}\n{hashed_line(OTHER, 'alice')}\n{hashed_line(OTHER, 'alice')}")
    file = TokenFile(str(path))
    assert (name_of(file, SECRET), name_of(file, OTHER)) == ("alice", "alice")


def test_raw_lines_work_only_where_they_are_allowed(path: Path) -> None:
    path.write_text(f"{SECRET} a remark\n{hashed_line(OTHER, 'bob')}\n")
    both = TokenFile(str(path), raw=True)
    assert (name_of(both, SECRET), name_of(both, OTHER)) == ("", "bob")
    hashed = TokenFile(str(path))
    assert (hashed.find(SECRET), hashed.find(OTHER)) == (None, None)
    assert "line 1 is not a hashed token: hash it with `cimaster token --hash <name>`" in hashed.file.trouble


def test_a_token_stays_valid_while_its_line_is_hashed(path: Path) -> None:
    path.write_text(f"{SECRET} ci\n{hashed_line(SECRET, 'ci')}\n")
    assert TokenFile(str(path), raw=True).find(SECRET) is not None


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        (f"sha256:{'a' * 63} alice", "line 2 is not `sha256:<64 hex digits> <name>`"),
        (f"sha256:{'g' * 64} alice", "line 2 is not `sha256:<64 hex digits> <name>`"),
        (f"sha256:{'a' * 64}", "line 2 is not `sha256:<64 hex digits> <name>`"),
        (f"SHA256:{SECRET} alice", "line 2 is not `sha256:<64 hex digits> <name>`"),
        (f"{hashed_line(OTHER, 'alice')} # laptop", "line 2 has a # after the name"),
        (hashed_line(SECRET, "mallory"), "lines 1 and 2 give one token to two callers"),
        (hashed_line(OTHER, "bad name"), "the name in line 2 cannot be used: expected another"),
        (OTHER, "line 2 is not a hashed token"),
    ],
)
def test_a_wrong_line_makes_the_file_unusable(
    path: Path, caplog: pytest.LogCaptureFixture, line: str, reason: str
) -> None:
    def name(text: str) -> str:
        if text.startswith("bad"):
            raise ValueError("another")
        return text

    path.write_text(f"{hashed_line(SECRET, 'alice')}\n{line}\n")
    file = TokenFile(str(path), name)
    with caplog.at_level(logging.DEBUG):
        assert file.find(SECRET) is None
    assert reason in file.file.trouble
    assert reason in caplog.text
    shown = file.file.trouble + caplog.text
    assert not [part for part in (*line.split(), SECRET, digest(SECRET).hex()) if len(part) > 12 and part in shown]
    path.write_text(hashed_line(SECRET, "alice"))
    assert name_of(file, SECRET) == "alice"


@given(st.text(), st.text(), st.booleans())
def test_any_token_and_any_file_can_be_read(
    tmp_path_factory: pytest.TempPathFactory, content: str, token: str, raw: bool
) -> None:
    path = tmp_path_factory.mktemp("tokens") / "file"
    path.write_bytes(content.encode("utf-8", "surrogatepass"))
    file = TokenFile(str(path), raw=raw)
    assert file.find(token) is None or token in content


def test_the_log_says_when_a_corrected_file_is_in_use(path: Path, caplog: pytest.LogCaptureFixture) -> None:
    path.write_text(hashed_line(SECRET, "alice"))
    tokens = TokenFile(str(path))
    with caplog.at_level(logging.INFO):
        assert name_of(tokens, SECRET) == "alice"
        assert not caplog.text
        path.write_text("a mistake")
        assert name_of(tokens, SECRET) is None
        path.write_text(hashed_line(SECRET, "alice"))
        assert name_of(tokens, SECRET) == "alice"
    assert caplog.messages[-1] == f"{path} is in use again"
