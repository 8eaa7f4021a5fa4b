"""PostgreSQL's clients are told every keyword of libpq, and secrets where nobody can see them."""

import contextlib
import os
import re
import types
from pathlib import Path
from urllib.parse import urlencode

import pytest
from django.db.backends.postgresql.client import DatabaseClient
from psycopg.pq import Conninfo

from django_runbook.schema.database.clients import libpq
from django_runbook.schema.database.clients.client import place
from django_runbook.schema.errors import NotHandedOnError
from tests.commands import BIN, write_program

#: Each keyword of the driver's libpq, with the variable from which it reads it.
KEYWORDS = {
    each.keyword.decode(): (each.envvar or b"").decode() for each in Conninfo.get_defaults()
}
SECRET = "hunt er'22\\"
#: Django's own words, what Django sets by itself, and what is another way to say all of it.
OTHERS = {"user", "host", "port", "dbname", "password", "client_encoding", "service"}


@pytest.fixture
def told():
    """Yield what makes a client of a connection that has these parameters alone."""
    made = contextlib.ExitStack()

    def client(**given):
        connection = types.SimpleNamespace(
            client=DatabaseClient(None),
            settings_dict={"OPTIONS": {}},
            get_connection_params=lambda: given,
        )
        found = libpq.client(connection, ["--quiet"])
        made.callback(found.close)
        return found

    with made:
        yield client


def read(client):
    """Return the content of the file that a client inherits."""
    (file,) = client.files
    assert client.environment["PGSERVICEFILE"] == place(file)
    return Path(place(file)).read_text("utf-8")


@pytest.mark.parametrize("keyword", sorted(KEYWORDS.keys() - OTHERS))
def test_every_keyword_is_told(told, keyword):
    """By libpq's own variable, by a connection string, or in the file of a service."""
    client = told(dbname="app", **{keyword: "x"})
    argv, variable = ["psql", "--quiet", "app"], KEYWORDS[keyword]
    if variable:
        assert (client.argv, client.environment[variable]) == (argv, "x")
    elif keyword in libpq.SECRET:
        assert client.argv == argv
        assert client.environment["PGSERVICE"] == "runbook"
        assert read(client) == f"[runbook]\n{keyword}=x\n"
    else:
        assert client.argv == [*argv[:-1], f"dbname='app' {keyword}='x'"]
    assert bool(client.files) is (keyword in libpq.SECRET)
    assert client.untold == ()


def test_words_of_django(told):
    """Who and where are words of the program, as Django has it."""
    client = told(user="me", host="db", port="7", dbname="app", password="hunter22")
    assert client.argv == ["psql", "-U", "me", "-h", "db", "-p", "7", "--quiet", "app"]
    assert client.environment["PGPASSWORD"] == "hunter22"


def test_several_secrets_and_what_is_no_secret(told):
    """No secret is a word or a variable; two clients have a file each."""
    given = {"dbname": "a'b", "sslpassword": SECRET, "keepalives": "1", "scram_client_key": "k="}
    first, second = told(**given), told(**given)
    content = f"[runbook]\nsslpassword={SECRET}\nscram_client_key=k=\n"
    assert (read(first), read(second), read(first)) == (content, content, content)
    assert first.argv == ["psql", "--quiet", r"dbname='a\'b' keepalives='1'"]
    assert SECRET not in {*first.argv, *first.environment.values()}
    assert SECRET not in repr(first)
    assert os.get_inheritable(first.descriptors[0])


@pytest.mark.parametrize("value", ["two\nlines", "blank ", "tab\t", "cr\r"])
def test_secret_that_no_line_can_hold(told, value):
    """It is refused in one line that does not repeat it."""
    with pytest.raises(NotHandedOnError) as refused:
        told(sslpassword=value)
    assert str(refused.value) == (
        "sslpassword of OPTIONS has a line break, or a space at its end, which no client can be "
        "told: choose another."
    )


@pytest.mark.parametrize("variable", [True, False])
def test_secret_beside_a_service(told, monkeypatch, variable):
    """There can be one service alone, and a file for its secrets is there already."""
    if variable:
        monkeypatch.setenv("PGSERVICE", "mine")
    with pytest.raises(NotHandedOnError) as refused:
        told(sslpassword="x", **({} if variable else {"service": "mine"}))
    assert str(refused.value) == (
        "OPTIONS has sslpassword beside the service mine, and no client can be told of both: put "
        "it into the file of the service."
    )


#: A psql that shows what it was given, and goes on as the real one.
SHOWING = """
import os, sys
print(sys.argv[1:], sorted(name for name in os.environ if name.startswith("PG")))
print(open(os.environ["PGSERVICEFILE"]).read())
sys.stdout.flush()
os.execvp({real!r}, [{real!r}, *sys.argv[1:]])
"""


@pytest.mark.slow
@pytest.mark.engines("postgresql")
def test_psql_itself_reads_it(commands, database_url, tmp_path):
    """The shell, read-only and not, comes to its server, and reads the file when it reconnects."""
    real = libpq_program("psql")
    (tmp_path / "bin").mkdir()
    write_program(tmp_path / "bin/psql", SHOWING.format(real=real))
    path = f"{tmp_path}/bin:{os.environ['PATH']}"
    joined = "&" if "?" in database_url else "?"
    url = f"{database_url}{joined}{urlencode({'sslpassword': SECRET, 'keepalives': 1})}"
    for environment in ("local", "production"):
        done = commands.run(
            *(BIN / "inv", "db.shell", "--", "-At"),
            stdin="\\c\nSELECT 40 + 2;\n",
            DATABASE_URL=url,
            PATH=path,
            ENVIRONMENT=environment,
        )
        assert done.code == 0, done
        shown, _, rest = done.out.partition("\n")
        assert "hunt" not in shown
        assert "'PGSERVICE', 'PGSERVICEFILE'" in shown
        assert rest.startswith(f"[runbook]\nsslpassword={SECRET}\n")
        assert done.out.endswith("\n42\n")
        assert "hunt" not in done.err


@pytest.mark.slow
@pytest.mark.engines("postgresql")
def test_dump_and_restore_read_it_too(commands, database_url, tmp_path):
    """All the programs that take part are told, and do their work."""
    joined = "&" if "?" in database_url else "?"
    url = f"{database_url}{joined}{urlencode({'sslpassword': SECRET, 'keepalives_idle': 9})}"
    file = str(tmp_path / "saved")
    for argv in (("backup", f"--output={file}"), ("restore", file)):
        done = commands.manage(*argv, DATABASE_URL=url)
        assert done.code == 0, done
        assert "hunt" not in done.out + done.err


@pytest.mark.slow
@pytest.mark.engines("postgresql")
def test_role_that_psql_does_not_take(commands, database_url):
    """What the shell is not told, is said, with what does it."""
    joined = "&" if "?" in database_url else "?"
    done = commands.manage(
        *("dbshell", "--sql", "SELECT current_user = 'pg_monitor'"),
        DATABASE_URL=f"{database_url}{joined}assume_role=pg_monitor",
        PATH=os.environ["PATH"],
    )
    assert done.code == 0, done
    assert re.search(r"\n f\n", done.out)
    assert done.err.splitlines()[1:] == [
        "psql is not told of OPTIONS: assume_role (SET ROLE pg_monitor does it)."
    ]


def libpq_program(name):
    """Return the path of a client program of the server's own release."""
    from django_runbook.schema.database.clients.shell import from_package

    (found,) = from_package(name)
    return found
