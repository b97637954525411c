"""The pages as Markdown: generated parts between markers, tables, fenced blocks, sections and links."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parent.parent.parent
PAGES = ("README.md", *sorted(f"docs/{path.name}" for path in (ROOT / "docs").glob("*.md")))
_FENCED = re.compile(r"^```(\w*)\n(.*?)^```$", re.DOTALL | re.MULTILINE)


@dataclass(frozen=True)
class Block:
    """A fenced block: its page, its language, its text, and its number among the blocks of the page."""

    page: str
    language: str
    text: str
    number: int

    def __str__(self) -> str:
        return f"{self.page}-{self.number}"


def text_of(page: str) -> str:
    """Return the text of a page, such as `docs/api.md`."""
    return (ROOT / page).read_text("utf-8")


def prose_of(page: str) -> str:
    """Return the text of a page without its fenced blocks."""
    return _FENCED.sub("", text_of(page))


def ticked(page: str) -> set[str]:
    """Return everything that a page shows as code within its prose."""
    return set(re.findall(r"`([^`\n]+)`", prose_of(page)))


def blocks(page: str, *languages: str) -> list[Block]:
    """Return the fenced blocks of a page in these languages, or all of them."""
    found = [Block(page, match[1], match[2], at) for at, match in enumerate(_FENCED.finditer(text_of(page)), 1)]
    return [block for block in found if not languages or block.language in languages]


def section(page: str, heading: str) -> str:
    """Return what stands under a heading, up to the next one of its level or above."""
    level = len(heading) - len(heading.lstrip("#"))
    _, found, after = f"\n{text_of(page)}".partition(f"\n{heading}\n")
    assert found, f"{page} has no heading {heading!r}"
    return re.split(rf"^#{{1,{level}}} ", after, maxsplit=1, flags=re.MULTILINE)[0]


def rows(text: str) -> list[list[str]]:
    """Return the cells of all rows of all tables."""
    return [
        [cell.strip() for cell in re.split(r"(?<!\\)\|", line.strip("|"))]
        for line in text.splitlines()
        if line.startswith("|")
    ]


def table(heads: Sequence[str], lines: Iterable[Sequence[str]]) -> str:
    """Return a table as Markdown."""
    texts = [heads, ["---"] * len(heads), *lines]
    return "".join(f"| {' | '.join(_cell(cell) for cell in line)} |\n" for line in texts)


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")


def generated(page: str, part: str) -> str:
    """Return what a page has between the markers of a part."""
    return _split(page, part)[1]


def markers(page: str) -> list[str]:
    """Return the names of the generated parts of a page."""
    return re.findall(r"^<!-- ([\w ]+): begin -->$", text_of(page), re.MULTILINE)


def put(page: str, part: str, content: str) -> None:
    """Write the content of a part between its markers."""
    before, _, after = _split(page, part)
    (ROOT / page).write_text(f"{before}{content}{after}", "utf-8")


def _split(page: str, part: str) -> tuple[str, str, str]:
    begin, end = f"<!-- {part}: begin -->\n", f"<!-- {part}: end -->"
    before, found, rest = text_of(page).partition(begin)
    content, closed, after = rest.partition(end)
    if not found or not closed:
        raise SystemExit(f"{page} has no place for this part: add the lines {begin.strip()} and {end}")
    return before + begin, content, end + after
