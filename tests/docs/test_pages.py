"""The pages as a reader meets them: short, with a question at the top, and links that lead somewhere."""

import pkgutil
import re

import pytest

from tests.docs import markdown

OF_A_PAGE = pytest.mark.parametrize("page", markdown.PAGES)
_LINK = re.compile(r"!?\[[^\]]*\]\(([^)\s]+)\)")


def test_the_readme_is_short() -> None:
    assert len(markdown.text_of("README.md").splitlines()) <= 180


@pytest.mark.parametrize("page", [page for page in markdown.PAGES if page != "README.md"])
def test_the_page_begins_with_a_question(page: str) -> None:
    first = markdown.text_of(page).partition("\n")[0]
    assert first.startswith("# ")
    assert first.endswith("?")


def test_the_readme_leads_to_every_page() -> None:
    targets = set(_LINK.findall(markdown.prose_of("README.md")))
    assert set(markdown.PAGES) - {"README.md"} <= targets


@OF_A_PAGE
def test_every_link_leads_somewhere(page: str) -> None:
    folder = (markdown.ROOT / page).parent
    for target in _LINK.findall(markdown.prose_of(page)):
        if target.startswith("https://"):
            continue
        file, _, anchor = target.partition("#")
        path = (folder / file).resolve() if file else markdown.ROOT / page
        assert path.exists(), target
        if anchor:
            assert anchor in anchors(path.read_text("utf-8")), target


def anchors(text: str) -> set[str]:
    """Return the anchors of headings, as GitHub makes them."""
    headings = re.findall(r"^#+ (.+)$", text, re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@OF_A_PAGE
def test_every_block_names_its_language(page: str) -> None:
    assert {block.language for block in markdown.blocks(page)} <= {
        "sh",
        "python",
        "json",
        "text",
        "yaml",
        "groovy",
        "ini",
        "http",
    }
    assert not re.search(r"^ {4,}(?:\$ )?(?:kubectl|make|curl|docker|cimaster) ", markdown.prose_of(page), re.MULTILINE)


@OF_A_PAGE
def test_every_make_target_that_the_page_names_is_one(page: str) -> None:
    targets = set(re.findall(r"^([a-z]+):", (markdown.ROOT / "Makefile").read_text(), re.MULTILINE))
    named = set(re.findall(r"`make ([a-z]+)", markdown.text_of(page)))
    assert named <= targets


@OF_A_PAGE
def test_every_path_that_the_page_names_is_there(page: str) -> None:
    for path in markdown.ticked(page):
        if path.startswith(("cimaster/", "tests/", "docs/", "k8s/")) and not set(path) & set("<*"):
            assert (markdown.ROOT / path).exists(), path


@OF_A_PAGE
def test_every_name_of_code_that_the_page_names_is_there(page: str) -> None:
    packages = {path.name for path in (markdown.ROOT / "cimaster").iterdir() if path.is_dir()}
    for name in markdown.ticked(page):
        if re.fullmatch(r"\w+(\.\w+)+", name) and name.partition(".")[0] in packages:
            pkgutil.resolve_name(f"cimaster.{name}")
