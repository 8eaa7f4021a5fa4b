"""A served site, a browser, and pages in it that must not do what no page may do."""

import contextlib
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from playwright.sync_api import Browser

from tests.browser import chromium
from tests.browser.chromium import Watched
from tests.browser.served import BOSS, Site
from tests.engines import Scratch

ACCOUNTS = 4_000
Opened = Callable[..., Watched]


# Not for the whole session: Playwright's event loop would run on below tests that use the ORM.
@pytest.fixture(scope="package")
def browser() -> Iterator[Browser]:
    """Yield the browser. There is none on this machine: that fails, with what to install."""
    missing = ""
    try:
        chromium.program()
    except chromium.NoBrowserError as error:
        missing = str(error)
    if missing:
        pytest.fail(missing, pytrace=False)
    with chromium.launched() as running:
        yield running


@pytest.fixture(scope="package")
def prepared(scratch: Scratch, tmp_path_factory: pytest.TempPathFactory) -> str:
    """Return the URL of a database with users and sample accounts, of which others are copies."""
    url = scratch.create("postgresql")
    Site(tmp_path_factory.mktemp("prepared"), url).prepare(ACCOUNTS)
    return url


@pytest.fixture(scope="module")
def new_site(
    prepared: str, scratch: Scratch, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Callable[..., Site]]:
    """Return what serves a new site with sample accounts, on PostgreSQL."""
    with contextlib.ExitStack() as stack:

        def make(environment: str = "local") -> Site:
            folder = tmp_path_factory.mktemp("site")
            url = scratch.create("postgresql", prepared)
            site = stack.enter_context(Site(folder, url, environment))
            site.serve()
            return site

        yield make


@pytest.fixture(scope="package")
def states() -> dict[tuple[str, str], Any]:
    """Return the cookies of who has logged in, so that each does it once."""
    return {}


@pytest.fixture
def open_page(browser: Browser, states: dict[tuple[str, str], Any]) -> Iterator[Opened]:
    """Return what opens a page of a site for somebody, and look at the end what it did."""
    opened: list[Watched] = []

    def open_(site: Site, who: str = BOSS, **options: Any) -> Watched:
        if (site.url, who) not in states:
            context = browser.new_context()
            Watched(context, site.url).log_in(who, site.password)
            states[site.url, who] = context.storage_state()
            context.close()
        context = browser.new_context(storage_state=states[site.url, who], **options)
        context.set_default_timeout(15_000)
        opened.append(Watched(context, site.url))
        return opened[-1]

    yield open_
    for watched in opened:
        watched.page.context.close()
    assert [wrong for watched in opened for wrong in watched.wrong] == []
