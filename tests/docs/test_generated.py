"""The generated parts of the pages and of openapi.yaml are what `make docs` would write now."""

import pytest

from tests.docs import markdown, openapi_paths
from tests.docs.__main__ import PARTS


@pytest.mark.parametrize(("page", "part"), PARTS)
def test_the_part_is_up_to_date(page: str, part: str) -> None:
    assert markdown.generated(page, part) == PARTS[page, part](), f"{page} is stale: run make docs"


def test_the_paths_of_openapi_are_up_to_date() -> None:
    assert openapi_paths.written() == openapi_paths.paths(), "cimaster/openapi.yaml is stale: run make docs"


def test_every_marker_belongs_to_a_part_or_to_the_bench() -> None:
    measured = {("docs/performance.md", "bench"), ("docs/performance.md", "bench summary")}
    assert {(page, name) for page in markdown.PAGES for name in markdown.markers(page)} == set(PARTS) | measured
