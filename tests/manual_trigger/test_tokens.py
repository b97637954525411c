"""Only callers with a token of the file are accepted."""

from pathlib import Path

import pytest

from cimaster.common.token_file import hashed_line
from cimaster.manual_trigger.access.tokens import Tokens
from cimaster.manual_trigger.errors import NoToken
from tests.manual_trigger.conftest import REQUEST_BODY, Caller, refusal
from tests.manual_trigger.process import TOKEN


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "tokens"


def lets_in(callers: Tokens, token: str) -> bool:
    try:
        callers.require(f"Bearer {token}")
    except NoToken:
        return False
    return True


def test_each_line_is_a_token_except_blank_ones_and_comments(path: Path) -> None:
    path.write_text("# cimaster\n\n  first  \nsecond\r\n#third\n")
    callers = Tokens(str(path))
    assert [lets_in(callers, token) for token in ("first", "second", "third", "#third", "# cimaster", "")] == [
        True,
        True,
        False,
        False,
        False,
        False,
    ]


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16"])
def test_a_file_that_was_saved_on_windows_is_read_alike(path: Path, encoding: str) -> None:
    path.write_text("first\r\nsecond\r\n", encoding)
    assert all(lets_in(Tokens(str(path)), token) for token in ("first", "second"))


def test_a_changed_file_counts_immediately(path: Path) -> None:
    path.write_text("old\n")
    callers = Tokens(str(path))
    assert lets_in(callers, "old")
    path.write_text("new\n")
    assert (lets_in(callers, "old"), lets_in(callers, "new")) == (False, True)


@pytest.mark.parametrize(
    "content", [None, b"", b"# no token\n", b"\xff\xfe"], ids=["missing", "empty", "remarks", "binary"]
)
def test_without_a_valid_file_every_token_is_refused(path: Path, content: bytes | None) -> None:
    path.write_text("old\n")
    callers = Tokens(str(path))
    assert lets_in(callers, "old")
    path.unlink()
    if content is not None:
        path.write_bytes(content)
    assert not lets_in(callers, "old")
    assert str(path) in callers.file.trouble
    assert "old" not in callers.file.trouble.replace(str(path), "")


@pytest.mark.parametrize(
    "header",
    ["", "Bearer", "Bearer ", TOKEN, f"Basic {TOKEN}", f"Bearer {TOKEN}x", f"Bearer {TOKEN[:-1]}", "Bearer \u00ff"],
)
@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("POST", "/manual-trigger"),
        ("GET", "/manual-trigger"),
        ("GET", "/manual-trigger/x"),
        ("POST", "/reload"),
        ("OPTIONS", "/manual-trigger"),
        ("GET", "/nothing"),
    ],
)
def test_requests_about_jobs_need_a_token(alone: Caller, method: str, path: str, header: str) -> None:
    answer = alone.client.open(path, method=method, json=REQUEST_BODY, headers={"Authorization": header})
    status, code, _ = refusal(answer)
    assert (status, code, answer.headers["WWW-Authenticate"]) == (401, "no_token", "Bearer")
    assert TOKEN[:-1] not in answer.text


@pytest.mark.parametrize("path", ["/", "/healthz", "/readyz"])
def test_probes_and_the_home_page_need_no_token(alone: Caller, path: str) -> None:
    assert alone.client.get(path).status_code in (200, 503)


def test_the_scheme_may_be_written_in_any_case(alone: Caller) -> None:
    answer = alone.client.get("/manual-trigger/x", headers={"Authorization": f"bearer {TOKEN}"})
    assert refusal(answer)[1] == "prow_unreachable"


def test_a_line_may_have_the_hash_of_a_token(path: Path) -> None:
    path.write_text(f"first old caller\n{hashed_line('second', 'cimaster')}\n")
    callers = Tokens(str(path))
    assert [lets_in(callers, token) for token in ("first", "second", "third")] == [True, True, False]
    assert not lets_in(callers, hashed_line("second", "cimaster").split()[0])


def test_a_malformed_hash_is_no_token(path: Path) -> None:
    path.write_text("first\nsha256:1234 cimaster\n")
    callers = Tokens(str(path))
    assert not lets_in(callers, "sha256:1234")
    assert not lets_in(callers, "first")
    assert "line 2 is not `sha256:<64 hex digits> <name>`" in callers.file.trouble
