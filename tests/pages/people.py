"""A visitor with a real browser, and what must be true of every page."""

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Literal

import axe_playwright_python
from playwright.sync_api import Locator, Page, Route, expect

from tests.conditions import until

ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
]
AXE = Path(axe_playwright_python.__file__).with_name("axe.min.js").read_text()
RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
_COLOUR_RULES = ["color-contrast", "link-in-text-block"]
_SIZE_RULES = ["target-size", "scrollable-region-focusable"]
_LOOKS: tuple[tuple[Literal["light", "dark"], Literal["active", "none"], int, list[str]], ...] = (
    ("light", "none", 1280, RULES),
    ("light", "none", 640, _SIZE_RULES),
    ("light", "none", 320, RULES),
    ("dark", "none", 1280, _COLOUR_RULES),
    ("dark", "none", 320, _COLOUR_RULES),
    ("light", "active", 640, _COLOUR_RULES),
)
"""The colour scheme, forced colours, width and rules of each look.

What shows at 640 px also shows at 320 or at 1280. Dark and forced colours change nothing but colours, and axe takes
most of the time of a test.
"""

_VIOLATIONS = """async rules =>
    (await axe.run(document, {runOnly: rules, resultTypes: ['violations'], selectors: false})).violations"""
_STICKS_OUT = "document.documentElement.scrollWidth > document.documentElement.clientWidth"
PATIENCE = 30_000  # milliseconds that a test waits for a page at most: a busy machine is slow
LEAP = 20  # seconds to the time at which a page's clock is stopped: playwright refuses a time that is over by then
REFUSED = re.compile(r"the server responded with a status of 4\d\d")  # the browser's own message about a refused form


class HeldBack:
    """Requests of a page that the service does not get before a test says so."""

    def __init__(self, page: Page, path: str, method: str) -> None:
        self._page, self._method = page, method
        self._routes: list[Route] = []
        page.route(path, self._arrives)

    def _arrives(self, route: Route) -> None:
        if route.request.method == self._method:
            self._routes.append(route)
        else:
            route.continue_()

    def wait(self) -> None:
        """Wait until a request is held back: playwright may report it later than the page shows that it was sent."""
        until(lambda: self._page.evaluate("true") and self._routes)  # handlers run while playwright queries the page

    def let_go(self) -> None:
        """Wait until a request is held back, and pass on the first one."""
        self.wait()
        self._routes[0].continue_()


class Person:
    """A person at a page."""

    def __init__(self, page: Page, url: str) -> None:
        self.page = page
        self.url = url

    def go(self, path: str = "/") -> None:
        """Open a page."""
        self.page.goto(self.url + path)

    def row(self, cluster: str) -> Locator:
        """Find the row of a cluster."""
        return self.page.locator("tr.row", has=self.page.get_by_role("link", name=cluster, exact=True))

    def press(self, cluster: str, label: str) -> None:
        """Press a button of a row."""
        self.row(cluster).get_by_role("button", name=f"{label} {cluster}", exact=True).click()

    def choose(self, cluster: str, label: str) -> None:
        """Choose an action in the menu of a row."""
        row = self.row(cluster)
        row.get_by_role("button", name=f"More {cluster}", exact=True).click()
        row.get_by_role("link", name=f"{label} {cluster}", exact=True).click()

    def opens(self, line: str) -> None:
        """Open the line of the `queue` or the `creations`, unless it is open or has nothing to show."""
        summary = self.page.locator(f"#{line}-line:not([open]) > summary")
        if summary.is_visible():
            summary.click()

    def rests(self) -> None:
        """Wait until a press no longer counts as a repeat of the last one."""
        until(lambda: self.page.evaluate("performance.now() - lastAction.at > REPEAT_MS"))

    @contextmanager
    def in_one_moment(self) -> Iterator[None]:
        """Let no time pass for the page's scripts: on a slow machine, a hasty second press would come too late."""
        self.page.evaluate("performance.now = (now => () => now)(performance.now())")
        yield
        self.page.evaluate("delete performance.now")

    def holds_back(self, path: str, method: str = "GET") -> HeldBack:
        """Hold back the requests to a path."""
        return HeldBack(self.page, path, method)

    def gets(self, answer: Callable[[Route], None], path: str = "**/ui/fragments/**") -> None:
        """Give this answer to all requests from now on, by default to the page's polls."""
        self.page.route(path, answer)
        expect(self.page.locator(".htmx-request")).to_have_count(0)  # the service still answers what was sent before

    def keeps_state(self) -> None:
        """Update the page no more."""
        self.gets(lambda route: route.fulfill(status=304))

    def passes(self, minutes: int) -> None:
        """Let time pass for a page that is updated no more, and whose clock playwright has installed.

        No request may be under way: it would have taken too long, or its answer would tell the page what time it is.
        """
        begin = self.page.evaluate("Date.now()")
        self.page.clock.pause_at(begin / 1000 + LEAP)
        expect(self.page.locator(".htmx-request")).to_have_count(0)
        self.page.clock.fast_forward(minutes * 60_000 - LEAP * 1000)
        self.page.clock.resume()

    def fill(self, **fields: str) -> None:
        """Fill the form that is open, in the dialog or on its page, and send it."""
        expect(self.page.locator("#form")).to_be_visible()
        for name, text in fields.items():
            field = self.page.locator(f"#form-{name}")
            if field.evaluate("field => field.tagName") == "SELECT":
                field.select_option(text)
            elif text == "on":
                field.check()
            else:
                field.fill(text)
        self.page.locator("#form-send").click()

    def sees(self, cluster: str, *texts: str, state: str) -> None:
        """Expect a row to be in a state and to contain texts."""
        row = self.row(cluster)
        expect(row).to_have_attribute("data-state", state)
        for text in texts:
            expect(row).to_contain_text(text)


def check(page: Page, what: str) -> None:
    """Expect no findings of axe and no horizontal overflow: light, dark and in forced colours, wide and narrow."""
    for scheme, forced, width, rules in _LOOKS:
        page.emulate_media(color_scheme=scheme, forced_colors=forced)
        page.set_viewport_size({"width": width, "height": 900})
        found = page.evaluate(_VIOLATIONS, rules)
        violations = [(each["id"], [node["html"] for node in each["nodes"]][:3]) for each in found]
        assert not violations, f"{what}, {scheme}, forced colours {forced}, {width}: {violations}"
        assert not page.evaluate(_STICKS_OUT), f"{what} at {width} px"
    page.emulate_media(forced_colors="none")
    page.set_viewport_size({"width": 1000, "height": 900})
    assert not page.evaluate(_STICKS_OUT), f"{what} at 1000 px"
