"""The list of admins: a file as people write it, read again when it changes."""

import logging
import os
import subprocess
import sys
import unicodedata
from pathlib import Path

import pytest

from cimaster.errors import NotAuthorized
from cimaster.web.admins import Admins


@pytest.fixture
def users(tmp_path: Path) -> Path:
    """The path of the file; it does not exist yet."""
    return tmp_path / "users"


@pytest.mark.parametrize(
    "data",
    [
        b"admin;bob",
        b"admin\nbob\n",
        b"admin\r\nbob\r\n",
        b"admin,bob",
        b"admin, bob;\n\n ,;",
        b" Admin ; BOB ",
        b"\xef\xbb\xbfadmin\nbob",
        "admin\r\nbob\r\n".encode("utf-16"),
        "admin;bob".encode("utf-16-le"),
        b"\xfe\xff" + "admin\nbob".encode("utf-16-be"),
        b"admin\rbob",
        b"# admins, of all shifts;carl\nadmin\r\n  #eve\r#mallory\nbob\n#",
    ],
)
def test_the_file_may_be_written_in_many_ways(users: Path, data: bytes) -> None:
    users.write_bytes(data)
    admins = Admins(str(users.parent))
    assert admins.names() == {"admin", "bob"}
    assert "Bob" in admins
    assert "" not in admins
    assert "admin\nbob" not in admins


def test_names_are_compared_without_case_and_unicode_form(users: Path) -> None:
    users.write_text(unicodedata.normalize("NFD", "José\nJane Doe"), "utf-8")
    admins = Admins(str(users.parent))
    for name in ("josé", "JOSÉ", unicodedata.normalize("NFD", "José"), "jane doe"):
        assert name in admins
    assert "jose" not in admins


def test_each_read_logs_the_number_of_admins(users: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    users.write_text("admin\nbob\n")
    admins = Admins(str(users.parent))
    assert "read the list of admins; number of names: 2" in caplog.text
    assert caplog.records[-1].__dict__["path"] == str(users)
    caplog.clear()
    assert "bob" in admins
    assert caplog.text == ""
    users.write_text("admin")
    assert "bob" not in admins
    assert "number of names: 1" in caplog.text
    users.write_text("\n")
    assert "admin" not in admins
    assert (caplog.records[-1].levelname, caplog.records[-1].getMessage()[-8:]) == ("WARNING", "names: 0")
    users.unlink()
    assert "admin" not in admins
    assert f"{users} does not exist" in caplog.text


def test_a_list_that_cannot_be_read_leaves_the_last_good_one(users: Path, caplog: pytest.LogCaptureFixture) -> None:
    users.write_text("admin\nbob\n")
    admins = Admins(str(users.parent))
    users.write_bytes(b"admin\n\xff\xff secret")
    assert "bob" in admins
    assert f"{users} cannot be used, the last good one stays: byte 6 is not UTF-8" in caplog.text
    assert "secret" not in caplog.text
    users.unlink()
    users.mkdir()
    assert "bob" in admins
    users.rmdir()
    users.write_text("carl")
    assert admins.names() == {"carl"}


@pytest.mark.skipif(os.getuid() != 0, reason="only root can become another user")
def test_a_list_that_becomes_readable_is_read_again(tmp_path: Path) -> None:
    script = (
        "import os, sys; from pathlib import Path; from cimaster.web.admins import Admins\n"
        "path = Path('users'); path.write_text('bob'); path.chmod(0)\n"
        "for each in ('.', path): os.chown(each, 65534, 65534)\n"
        "os.seteuid(65534); admins = Admins('.'); print('bob' in admins)\n"
        "for mode in (0o600, 0): path.chmod(mode); print('bob' in admins)\n"
    )
    command = [sys.executable, "-c", script]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.stdout.split() == ["False", "True", "True"], done.stderr


def test_a_refusal_names_the_user_and_not_the_file(users: Path) -> None:
    for text, told in (("", "and the service has none"), ("bob", "only admins can do this; an operator adds names")):
        users.write_text(text)
        with pytest.raises(NotAuthorized, match="user eve is not authorized") as refusal:
            Admins(str(users.parent)).require("eve")
        assert told in str(refusal.value)
        assert str(users.parent) not in str(refusal.value)
