"""Takes the pictures of the documentation: ``inv docs.screenshots``."""

import contextlib
import datetime
import io
import shutil
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from PIL import Image
from playwright.sync_api import Browser

from tests.browser import chromium
from tests.browser.chromium import Watched
from tests.browser.served import BOSS, Site

ACCOUNTS = 20_000
#: A page names the target: this one is the same on any machine, and says nothing of it.
PLACE = Path(tempfile.gettempdir()) / "product"
HIGHEST = 1_900  # pixels
WIDE = {"width": 1200, "height": 760}
NARROW = {"width": 360, "height": 720}
MOST = 200_000  # bytes of a picture
COLOURS = 128
FILL = """
import datetime
from tests.browser.site import samples
samples.fill(datetime.datetime.fromisoformat({now!r}))
"""


def main(folder: Path) -> int:
    """Take each picture; return the exit code."""
    try:
        with _site() as site, chromium.launched() as browser:
            for name, picture in _pictures(site, browser):
                _save(folder / f"{name}.png", picture)
    except chromium.NoBrowserError as missing:
        print(missing, file=sys.stderr)
        return 1
    return 0


@contextlib.contextmanager
def _site() -> Iterator[Site]:
    """Yield a served site with a month of runs, on an SQLite file."""
    PLACE.mkdir()  # or it is somebody else's
    try:
        url = f"sqlite:///{PLACE / 'db.sqlite3'}"
        with Site(PLACE, url, LOGNAME="ada", SITE_HOST="laptop") as site:
            site.prepare(ACCOUNTS)
            now = datetime.datetime.now(datetime.UTC) - datetime.timedelta(minutes=1)
            site.python(FILL.format(now=now.isoformat()))
            site.done("pause_job", "clearsessions", "--reason=the sessions are being moved")
            site.serve()
            yield site
    finally:
        shutil.rmtree(PLACE)


def _pictures(site: Site, browser: Browser) -> Iterator[tuple[str, bytes]]:
    """Yield each picture with its name, in the order of a story."""
    context = browser.new_context(viewport=WIDE)
    watched = Watched(context, site.url)
    watched.log_in(BOSS, site.password)
    state = context.storage_state()
    site.done("expire_trials", "--allow=40000", "--reason=catching up after the outage")
    yield "jobs", _shot(watched, "runbook_jobs/job/")
    yield "job", _shot(watched, "runbook_jobs/job/expire_5Ftrials/change/")
    run = _newest(site, "expire_trials")
    yield "undo", _shot(watched, f"runbook_jobs/run/{run}/undo/")
    started = site.start("fill_slowly")
    while not (run := _newest(site, "fill_slowly")):
        watched.page.wait_for_timeout(200)
    watched.page.wait_for_timeout(4_000)
    yield "run", _shot(watched, f"runbook_jobs/run/{run}/change/", wait=2_500)
    dark = browser.new_context(viewport=NARROW, color_scheme="dark", storage_state=state)
    yield "narrow", _shot(Watched(dark, site.url), "runbook_jobs/job/")
    site.done("stop_run", run)
    started.wait(30)


def _newest(site: Site, job: str) -> str:
    """Return the number of the newest run of a job; empty where it has none."""
    runs = site.json("job_history", f"--job={job}", "--count=1")
    return str(runs[0]["run"]) if runs else ""


def _shot(watched: Watched, path: str, wait: int = 300) -> bytes:
    watched.go(path)
    watched.page.wait_for_timeout(wait)
    height = min(watched.page.evaluate("document.documentElement.scrollHeight"), HIGHEST)
    size: Any = watched.page.viewport_size
    clip = {"x": 0, "y": 0, "width": size["width"], "height": height}
    return watched.page.screenshot(full_page=True, clip=clip, animations="disabled")


def _save(file: Path, picture: bytes) -> None:
    """Write a picture with a palette, which is a third of its size. Raises where it is large."""
    file.parent.mkdir(parents=True, exist_ok=True)
    with Image.open(io.BytesIO(picture)) as image:
        small = image.convert("RGB").quantize(COLOURS, dither=Image.Dither.NONE)
        small.save(file, optimize=True)
    size = file.stat().st_size
    if size > MOST:
        raise ValueError(f"{file} has {size:,} bytes, {MOST:,} at most")
    print(f"{file}: {size:,} bytes")


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
