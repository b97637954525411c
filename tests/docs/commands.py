"""The commands of the pages, by where each of them can be tried."""

from tests.docs import markdown
from tests.docs.markdown import Block

CI_SCRIPT, MAKE, CLUSTER, TRIGGER, SERVICE = "the CI script", "make", "a cluster", "manual-trigger", "the service"


def kind_of(block: Block) -> str:
    """Say where a block of commands is tried."""
    if block.text.startswith("set -euo pipefail\n"):
        return CI_SCRIPT
    if all(line.startswith("make ") for line in block.text.splitlines()):
        return MAKE
    if "kubectl " in block.text:
        return CLUSTER
    return TRIGGER if "http://manual-trigger:" in block.text else SERVICE


def commands(page: str, kind: str) -> list[str]:
    """Return the blocks of a page that are tried in one place, in their order."""
    return [block.text for block in markdown.blocks(page, "sh") if kind_of(block) == kind]


def pages_with(kind: str) -> list[str]:
    """Return the pages that have commands of a kind."""
    return [page for page in markdown.PAGES if commands(page, kind)]
