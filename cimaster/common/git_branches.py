"""Recognises branch names that git would read as something else.

`git fetch ORIGIN NAME` looks for refs/NAME before refs/heads/NAME, and reads a full hash as a commit. That may be a
commit of a pull request, or of a fork, which some Git servers serve too: unreviewed code would run.
"""

import re

_OTHER = re.compile(
    r"(?:refs|heads|tags|remotes|keep-around)/.*"  # a full ref name, with or without refs/
    r"|(?:pull|pulls|pull-requests|merge-requests|pipelines|environments)/[0-9]+(?:/.*)?"  # GitHub, Bitbucket, GitLab
    r"|changes/[0-9]{2}/[0-9]+(?:/.*)?"  # Gerrit
    r"|(?:[A-Z]+_)*HEAD"
    r"|[0-9A-Fa-f]{7,64}"  # a commit hash, full or shortened
)


def is_branch(name: str) -> bool:
    """Say whether git reads a name as a branch and as nothing else."""
    return not _OTHER.fullmatch(name)
