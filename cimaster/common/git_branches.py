"""What git takes for something other than a branch, though it could be a branch's name.

`git fetch ORIGIN NAME` looks for refs/NAME before refs/heads/NAME, and takes a whole hash for a commit: of a pull
request, or of a fork, which some Git servers hand out from the repository too. Code without a review would run.
"""

import re

_OTHER = re.compile(
    r"(?:refs|heads|tags|remotes|keep-around)/.*"  # a ref by its full name, or all of it but refs/
    r"|(?:pull|pulls|pull-requests|merge-requests|pipelines|environments)/[0-9]+(?:/.*)?"  # GitHub, Bitbucket, GitLab
    r"|changes/[0-9]{2}/[0-9]+(?:/.*)?"  # Gerrit
    r"|(?:[A-Z]+_)*HEAD"
    r"|[0-9A-Fa-f]{7,64}"  # a commit, in full or shortened
)


def is_branch(name: str) -> bool:
    """Say whether git takes a name for a branch's, and for nothing else."""
    return not _OTHER.fullmatch(name)
