"""Which targets are protected, and why: by the environment, and by what the driver reaches."""

import pytest

from django_runbook.schema.database import protection
from django_runbook.schema.database.protection import Environment
from django_runbook.schema.database.reached import Reached, is_loopback

FILE = {"host": "", "socket": True, "local": True}
SOCKET = {"host": "/run/postgresql", "socket": True, "local": True}
LOOPBACK = {"host": "127.0.0.1", "local": True}
ELSEWHERE = {"host": "db.example"}
SILENT = {"host": "localhost", "answered": False}
UNKNOWN = "settings.ENVIRONMENT is {}, which is not declared as unprotected"


def why(name: str, place: dict[str, object], *, debug: bool = False) -> str:
    """Return why a target is protected."""
    values = {"port": "", "database": "app", "user": "me", **place}
    return protection._because(
        Environment(name=name, source="settings.ENVIRONMENT"),
        Reached(**values),
        protected={"production", "demo"},
        unprotected={"review"},
        debug=debug,
    )


@pytest.mark.parametrize("name", ["local", "dev", "test", "review"])
@pytest.mark.parametrize("place", [FILE, SOCKET, LOOPBACK])
def test_a_local_environment_on_this_machine_is_not_protected(name, place):
    """The names that are known as local, and those that are declared."""
    assert why(name, place) == ""


@pytest.mark.parametrize("name", ["prod", "live", "staging", "ci", "locale"])
@pytest.mark.parametrize("place", [FILE, SOCKET, LOOPBACK, ELSEWHERE])
def test_an_environment_that_is_not_known_is_protected(name, place):
    """Also beside DEBUG and a file of this machine."""
    assert why(name, place, debug=True) == UNKNOWN.format(name)


@pytest.mark.parametrize("name", ["production", "demo"])
def test_a_declared_one_is_protected_whatever_else_it_is(name):
    """``protected`` is stronger than the known local names."""
    assert why(name, FILE, debug=True) == f"settings.ENVIRONMENT is {name}"


@pytest.mark.parametrize(
    ("place", "debug", "reason"),
    [
        (FILE, True, ""),
        (SOCKET, True, ""),
        (FILE, False, "neither ENVIRONMENT nor DEBUG is set"),
        (LOOPBACK, True, "ENVIRONMENT is not set beside a server"),
        (ELSEWHERE, True, "ENVIRONMENT is not set beside a server"),
    ],
)
def test_where_nobody_says_the_environment(place, debug, reason):
    """DEBUG and a database within this machine is local; a port may be a tunnel or a pooler."""
    assert why("", place, debug=debug) == reason


def test_another_machine_is_protected_in_any_environment():
    """Whatever it is called; and a server that does not answer could be anywhere."""
    assert why("local", ELSEWHERE) == "the server is on another machine"
    assert why("local", SILENT) == "the server did not answer"


@pytest.mark.parametrize(
    ("setting", "variable", "said"),
    [
        (" Production\n", "local", "settings.ENVIRONMENT is production"),
        ("LOCAL", "production", "settings.ENVIRONMENT is local"),
        ("", " Dev ", "the variable ENVIRONMENT is dev"),
        (None, "STAGING", "the variable ENVIRONMENT is staging"),
        (None, "  ", ""),
    ],
)
def test_environment_is_read_without_spaces_and_case(
    settings, monkeypatch, setting, variable, said
):
    """Of the settings, else of the process; and who says it is said."""
    settings.ENVIRONMENT = setting
    monkeypatch.setenv("ENVIRONMENT", variable)
    found = protection.environment()
    assert found.said == said
    assert found.name == said.rpartition(" ")[2]


def test_a_configuration_that_cannot_be_read_protects(monkeypatch):
    """Fails closed."""
    from django_runbook.config import ConfigError

    def broken() -> None:
        raise ConfigError("broken")

    monkeypatch.setattr(protection, "of_settings", broken)
    at = Reached(port="", database="app", user="", **FILE)
    found = protection.protected_because(Environment(name="local", source=""), at)
    assert found == "the configuration cannot be read"


@pytest.mark.parametrize(
    ("place", "loopback"),
    [
        ("localhost", True),
        ("127.0.0.1", True),
        ("127.8.0.1", True),
        ("::1", True),
        ("localhost.example", False),
        ("10.0.0.7", False),
        ("db", False),
        ("", False),
    ],
)
def test_loopback_is_told_by_the_name_alone(place, loopback):
    """A name that an entry of /etc/hosts leads here may be a tunnel."""
    assert is_loopback(place) is loopback
