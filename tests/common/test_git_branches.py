"""Names that git reads as a branch, and names that it reads as something else; checked with git if it is installed."""

import shutil
import subprocess
from pathlib import Path

import pytest

from cimaster.common.git_branches import is_branch
from cimaster.pool import parsers

OTHERS = [
    "refs/pull/1/head",
    "refs/heads/master",
    "heads/master",
    "tags/v1",
    "remotes/origin/master",
    "pull/1/head",
    "pull/1/merge",
    "pull/1",
    "pull-requests/7/from",
    "merge-requests/1/head",
    "changes/01/1/1",
    "pipelines/12",
    "keep-around/" + "a" * 40,
    "HEAD",
    "FETCH_HEAD",
    "ORIG_HEAD",
    "a" * 40,
    "A" * 40,
    "a" * 64,
    "0123456",
    "deadbeef",
]
BRANCHES = [
    "master",
    "release-1.32",
    "release/1.32",
    "pull/request-template",
    "changes/x",
    "fix/refs/heads",
    "header",
    "OVERHEAD",
    "HEADS",
    "abcdef",
    "a" * 65,
    "deadbeef-x",
    "v20260102",
    "head",
    "environments/prod",
]


@pytest.mark.parametrize("name", OTHERS)
def test_other_names_are_no_branches(name: str) -> None:
    assert not is_branch(name)
    with pytest.raises(ValueError, match="not a commit, a tag or a pull request"):
        parsers.branch(name)


@pytest.mark.parametrize("name", BRANCHES)
def test_branches_are_recognized(name: str) -> None:
    assert is_branch(name)
    assert parsers.branch(name) == name


@pytest.mark.skipif(not shutil.which("git"), reason="there is no git")
def test_git_fetches_no_branch_for_such_names(tmp_path: Path) -> None:
    def git(*words: str, where: str = "origin") -> str:
        options = ["-c", "user.name=a", "-c", "user.email=a@example.com", "-c", "init.defaultBranch=master"]
        done = subprocess.run(
            ["git", *options, *words], cwd=tmp_path / where, check=True, capture_output=True, text=True
        )
        return done.stdout.strip()

    for folder in ("origin", "clone"):
        (tmp_path / folder).mkdir()
        git("init", "-q", where=folder)
    git("commit", "-q", "--allow-empty", "-m", "reviewed")
    tree = git("rev-parse", "HEAD^{tree}")
    evil = git("commit-tree", "-m", "not reviewed", tree)
    git("update-ref", "refs/pull/1/head", evil)
    for name in ("pull/1/head", "refs/pull/1/head", evil):
        git("fetch", "-q", str(tmp_path / "origin"), name, where="clone")
        assert git("rev-parse", "FETCH_HEAD", where="clone") == evil
        assert not is_branch(name)
