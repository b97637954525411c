"""`cimaster token`: makes tokens without settings, without a store, and without a library."""

import os
import pty
import subprocess
import sys
from pathlib import Path

import pytest

from cimaster.common.token_file import TokenFile, hashed_line
from tests.docs import markdown

TOKEN = "an-existing-token-that-is-long"


def cimaster_token(
    *arguments: str, sent: bytes = b"", folder: Path | None = None
) -> "subprocess.CompletedProcess[bytes]":
    """Run the command with only Python's own library, and with settings that would stop the server."""
    command = [sys.executable, "-S", "-m", "cimaster", "token", *arguments]
    environment = {"PYTHONPATH": str(markdown.ROOT), "CIMASTER_PORT": "wrong"}
    return subprocess.run(
        command, input=sent, capture_output=True, env=environment, cwd=folder, timeout=60, check=False
    )


def test_a_new_token_works_with_its_line(tmp_path: Path) -> None:
    made = [cimaster_token("Jane Doe", folder=tmp_path) for _ in range(2)]
    tokens = [each.stdout.decode().removesuffix("\n") for each in made]
    assert len(set(tokens)) == 2
    for each, token in zip(made, tokens, strict=True):
        assert (each.returncode, len(token)) == (0, 43)
        sentence, line = each.stderr.decode().splitlines()
        assert "is shown only this once. Add this line" in sentence
        assert token not in each.stderr.decode()
        (tmp_path / "tokens").write_text(f"{line}\n")
        known = TokenFile(str(tmp_path / "tokens")).find(token)
        assert known is not None
        assert known.name == "Jane Doe"
    assert [path.name for path in tmp_path.iterdir()] == ["tokens"]


@pytest.mark.parametrize("sent", [TOKEN, f"{TOKEN}\n", f"  {TOKEN}\r\n"])
def test_an_existing_token_is_hashed(sent: str) -> None:
    done = cimaster_token("alice", "--hash", sent=sent.encode())
    assert (done.returncode, done.stdout.decode(), done.stderr) == (0, f"{hashed_line(TOKEN, 'alice')}\n", b"")


@pytest.mark.parametrize(
    ("sent", "reason"),
    [
        (b"", b"expected 20 to 4096 printable ASCII characters"),
        (b"short-password", b"expected 20 to 4096 printable ASCII characters"),
        (TOKEN.encode() + b"\n" + TOKEN.encode(), b"expected 20 to 4096 printable ASCII characters"),
        (b"\xff" * 30, b"expected 20 to 4096 printable ASCII characters"),
        (b"x" * 5000, b"expected 20 to 4096 printable ASCII characters"),
        (hashed_line(TOKEN, "alice").split()[0].encode(), b"it is a hash already"),
    ],
)
def test_what_is_no_token_is_not_hashed(sent: bytes, reason: bytes) -> None:
    done = cimaster_token("alice", "--hash", sent=sent)
    assert (done.returncode, done.stdout) == (1, b"")
    assert reason in done.stderr
    assert b"Traceback" not in done.stderr
    assert not sent[:12] or sent[:12] not in done.stderr


@pytest.mark.parametrize(
    "name", ["", "system:admin", "System:serviceaccount:ci:e2e", "group:dev", "a\u200bb", "al#ice"]
)
def test_a_name_that_no_token_may_have_is_refused(name: str) -> None:
    done = cimaster_token(name)
    assert (done.returncode, done.stdout) == (2, b"")
    assert b"the name cannot be used: expected " in done.stderr


def test_a_typed_token_is_not_shown() -> None:
    terminal, process_end = pty.openpty()
    command = [sys.executable, "-m", "cimaster", "token", "alice", "--hash"]
    environment = {"PYTHONPATH": str(markdown.ROOT)}
    with subprocess.Popen(
        command, stdin=process_end, stdout=subprocess.PIPE, stderr=process_end, env=environment, start_new_session=True
    ) as process:
        os.close(process_end)
        shown = os.read(terminal, 1000)  # the prompt; from then on the terminal shows nothing
        assert b"Token:" in shown
        os.write(terminal, f"{TOKEN}\n".encode())
        written, _ = process.communicate(timeout=60)
    assert written.decode() == f"{hashed_line(TOKEN, 'alice')}\n"
    os.set_blocking(terminal, False)
    assert TOKEN.encode() not in os.read(terminal, 1000)
    os.close(terminal)
