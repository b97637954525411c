"""`branches` and `skip_branches`, as Prow matches them."""

import pytest

from cimaster.manual_trigger.jobs.branches import accepts, described


@pytest.mark.parametrize(
    ("branches", "skipped", "branch", "runs"),
    [
        ([], [], "anything", True),
        (["master"], [], "master", True),
        (["master"], [], "feature-master", True),
        (["master"], [], "main", False),
        (["^master$"], [], "feature-master", False),
        (["^master$", "^release-.*$"], [], "release-1.32", True),
        (["^master$", "^release-.*$"], [], "my-release-1.32", False),
        ([], ["^gh-pages$"], "gh-pages", False),
        ([], ["^gh-pages$"], "master", True),
        (["release"], ["release-1"], "release-1", False),
        (["release"], ["release-1"], "release-2", True),
        (["^main$", "(?i)^rel"], [], "RELEASE-1", True),
        (["^(?:a|b)$"], [], "b", True),
        ([r"^v\d+$"], [], "v12", True),
        ([r"^v\d+$"], [], "v\u0661", False),
        ([r"^\Qa.b\E$"], [], "a.b", True),
        ([r"^\Qa.b\E$"], [], "axb", False),
        (["^[[:alpha:]]+$"], [], "main", True),
        ([r"^main\z"], [], "main", True),
        (["release/1\\.[0-9]+"], [], "release/1.32", True),
        ([""], [], "anything", True),
    ],
)
def test_a_job_runs_on_the_branches_that_prow_would_run_it_on(
    branches: list[str], skipped: list[str], branch: str, runs: bool
) -> None:
    assert accepts({"name": "e2e", "branches": branches, "skip_branches": skipped}, branch) is runs


def test_branches_are_described_for_people() -> None:
    assert described({}) == "all branches"
    assert described({"branches": ["a", "b"]}) == "branches that match a or b"
    assert described({"skip_branches": ["c"]}) == "all branches, except those that match c"
