"""What the other browser tests hold a page against is seen, where a page does it."""

import http.server
import threading
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser

from tests.browser import chromium
from tests.browser.chromium import NoBrowserError, Watched

pytestmark = pytest.mark.browser
ELSEWHERE = "http://elsewhere.example/a.png"
BAD = f"""<!DOCTYPE html><html lang="en"><head><title>Bad</title></head><body>
<main><h1>Bad</h1><img src="{ELSEWHERE}"><p style="width: 3000px">wide</p>
<script>console.error("a cry"); setTimeout(() => {{ throw new Error("a fall") }})</script>
</main></body></html>"""


class Bad(http.server.BaseHTTPRequestHandler):
    """Serves the one page."""

    def do_GET(self) -> None:
        self.send_response(200 if self.path == "/admin/" else 404)
        self.send_header("Content-Type", "text/html")
        self.end_headers()
        self.wfile.write(BAD.encode() if self.path == "/admin/" else b"")

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture
def bad_url() -> Iterator[str]:
    """Yield where a page is that does all that is wrong."""
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Bad) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


def test_what_no_page_may_do_is_seen(browser: Browser, bad_url: str) -> None:
    """A request elsewhere, errors, a page too wide, and an image without words."""
    context = browser.new_context(viewport={"width": 360, "height": 640})
    watched = Watched(context, bad_url)
    watched.go("")
    watched.page.wait_for_timeout(200)
    assert sorted(watched.wrong) == [
        f"error: Failed to load resource: net::ERR_NAME_NOT_RESOLVED ({ELSEWHERE}:0)",
        f"error: a cry ({bad_url}/admin/:2)",
        "page error: a fall",
        f"request to {ELSEWHERE}",
    ]
    assert watched.overflow() > 2000
    assert [line.partition(" ")[0] for line in watched.findings()] == ["image-alt"]
    context.close()


def test_missing_browser_says_what_to_install(monkeypatch: pytest.MonkeyPatch, tmp_path) -> None:
    """It fails with a line, whether none is on PATH or the one that is named is no program."""
    monkeypatch.delenv("RUNBOOK_BROWSER", raising=False)
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(NoBrowserError) as none:
        chromium.program()
    assert str(none.value) == (
        "There is no browser for the browser tests: none of chromium, chromium-browser, "
        "google-chrome is on PATH. Install one, as by 'apt-get install chromium', or name its "
        "program in RUNBOOK_BROWSER."
    )
    monkeypatch.setenv("RUNBOOK_BROWSER", "/nowhere/chromium")
    with pytest.raises(NoBrowserError, match="RUNBOOK_BROWSER is /nowhere/chromium, which is no"):
        chromium.program()
