"""What a connection reaches is asked of the driver, whatever filled the settings in."""

import json
import os
from pathlib import Path
from urllib.parse import parse_qs, unquote, urlsplit

import pytest

from tests.engines import server_url

pytestmark = [pytest.mark.slow, pytest.mark.engines("postgresql")]


@pytest.fixture
def folder(database_url) -> str:
    """Return the folder with the server's socket."""
    parts = urlsplit(database_url)
    given = parse_qs(parts.query).get("host", [""])[0]
    return given or unquote(parts.hostname or "")


def facts(commands, url: str, **extra: str | None) -> dict[str, object]:
    """Return what `manage.py target` says."""
    done = commands.manage("target", "--json", DATABASE_URL=url, **extra)
    assert done.code == 0, done
    found: dict[str, object] = json.loads(done.out)
    return found


def bare(url: str) -> str:
    """Return a URL that leaves the host to libpq."""
    name = urlsplit(url).path
    return f"postgresql://postgres@{name}"


def test_host_of_the_environment_is_the_target(commands, database_url, folder):
    """An empty HOST is PGHOST's, and so is its port."""
    port = os.environ.get("PGPORT", "")
    port = str(urlsplit(database_url).port or port or 5432)
    found = facts(commands, bare(database_url), PGHOST=folder, PGPORT=port)
    assert (found["host"], found["answered"], found["why"]) == (folder, True, "")
    assert found["database"] == urlsplit(database_url).path.strip("/")


def test_service_file_is_the_target(commands, database_url, folder, tmp_path):
    """A service of a file, named by PGSERVICE or in the URL, says where the server is."""
    port = str(urlsplit(database_url).port or 5432)
    file = Path(tmp_path, "services")
    file.write_text(f"[shop]\nhost={folder}\nport={port}\nuser=postgres\n")
    for url, extra in (
        (bare(database_url), {"PGSERVICE": "shop"}),
        (f"{bare(database_url)}?service=shop", {}),
    ):
        found = facts(commands, url, PGSERVICEFILE=str(file), **extra)
        assert (found["host"], found["port"]) == (folder, port)


def test_server_that_does_not_answer_is_protected(commands, database_url):
    """Nobody knows where it is: what destroys would want its name."""
    url = f"postgresql://postgres@localhost:1{urlsplit(database_url).path}"
    done = commands.manage("flush", "--no-input", DATABASE_URL=url)
    assert done.code == 3
    assert "(the server did not answer)" in done.err


def test_server_of_these_tests_is_reached():
    """The tests speak with a real server."""
    assert server_url().startswith("postgresql://")
