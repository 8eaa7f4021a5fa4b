"""The system's own Chromium, driven by Playwright, and what a page must not do in it."""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, BrowserContext, Page, sync_playwright

NAMES = ("chromium", "chromium-browser", "google-chrome")
FLAGS = (
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
    # Whatever a page asks for elsewhere is seen, and goes nowhere.
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
)
MISSING = (
    "There is no browser for the browser tests: none of {names} is on PATH. Install one, as by "
    "'apt-get install chromium', or name its program in RUNBOOK_BROWSER."
)
AXE = Axe()
#: Without it axe-core reads the style sheets itself, and puts them into the page, which the policy
#: forbids.
OPTIONS = {"preload": False}
WIDER = "document.documentElement.scrollWidth - window.innerWidth"


class NoBrowserError(Exception):
    """There is no browser to drive."""


def program() -> str:
    """Return the browser's program. Raises ``NoBrowserError`` with what to install."""
    named = os.environ.get("RUNBOOK_BROWSER", "")
    for name in [named] if named else NAMES:
        if found := shutil.which(name):
            return found
    if named:
        raise NoBrowserError(f"RUNBOOK_BROWSER is {named}, which is no program.")
    raise NoBrowserError(MISSING.format(names=", ".join(NAMES)))


@contextmanager
def launched() -> Iterator[Browser]:
    """Yield a running browser. Raises ``NoBrowserError`` where there is none."""
    path = program()
    sandbox = ["--no-sandbox"] if os.geteuid() == 0 else []
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=[*sandbox, *FLAGS])
        try:
            yield browser
        finally:
            browser.close()


class Watched:
    """A page of a site, and whatever it did that no page may do."""

    def __init__(self, context: BrowserContext, url: str) -> None:
        self.url = url
        self.page: Page = context.new_page()
        self.wrong: list[str] = []
        self._expected: set[int] = set()
        self.page.on("request", self._request)
        self.page.on("console", self._console)
        self.page.on("pageerror", lambda error: self.wrong.append(f"page error: {error}"))

    def expect(self, status: int) -> None:
        """Let an answer with this status pass: Chromium tells of it as of an error."""
        self._expected.add(status)

    def go(self, path: str) -> Any:
        """Open a path of the admin, and return the answer."""
        return self.page.goto(f"{self.url}/admin/{path}")

    def log_in(self, name: str, password: str) -> None:
        """Log in as a person does."""
        self.go("login/")
        self.page.fill("#id_username", name)
        self.page.fill("#id_password", password)
        self.page.click("input[type=submit]")
        self.page.wait_for_url(f"{self.url}/admin/**")

    def findings(self) -> list[str]:
        """Return what axe-core finds, each with the element."""
        found = AXE.run(self.page, options=OPTIONS).response["violations"]
        return [
            f"{one['id']} ({one['impact']}): {node['html']}: {node['failureSummary']}"
            for one in found
            for node in one["nodes"]
        ]

    def overflow(self) -> int:
        """Return by how many pixels the page is wider than its window."""
        return int(self.page.evaluate(WIDER))

    def _request(self, request: Any) -> None:
        if not request.url.startswith((self.url + "/", "data:")):
            self.wrong.append(f"request to {request.url}")

    def _console(self, message: Any) -> None:
        known = any(f"status of {status} " in message.text for status in self._expected)
        known |= message.location["url"].endswith("/favicon.ico")  # the browser's own question
        if message.type in {"error", "warning"} and not known:
            at = message.location
            self.wrong.append(f"{message.type}: {message.text} ({at['url']}:{at['lineNumber']})")
