"""MySQL's and MariaDB's clients are told all of OPTIONS. No server: the programs are fakes."""

import types
from pathlib import Path

import pytest
from django.db.backends.mysql.client import DatabaseClient

from django_runbook.schema.database.clients import libmysql, shell
from django_runbook.schema.errors import NotHandedOnError

#: What the programs say to --help, of the options that matter here.
MYSQL = """\
Usage: mysql [OPTIONS] [database]
  -C, --compress      Use compression in server/client protocol.
  --bind-address=name IP address to bind to.
  --connect-timeout=# Number of seconds before connection timeout.
  --default-auth=name Default authentication client-side plugin to use.
  --init-command=name SQL Command to execute when connecting to server.
  --init-command-add=name
  --local-infile      Enable/disable LOAD DATA LOCAL INFILE.
  --server-public-key-path=name
  -S, --socket=name   The socket file to use for connection.
  --ssl-mode=name     SSL connection mode.
  --ssl-ca=name       CA file in PEM format.
  --ssl-capath=name   CA directory.
  --ssl-cipher=name   SSL cipher to use.
"""
WITHOUT = ("ssl-mode", "server-public", "bind-address", "init-command-add")
MARIADB = "".join(
    line for line in MYSQL.splitlines(keepends=True) if not any(map(line.count, WITHOUT))
)
DUMP = "".join(
    line
    for line in MARIADB.splitlines(keepends=True)
    if not any(map(line.count, ("connect-", "init-", "local-")))
)
HELP = {"mysql": MYSQL, "mariadb": MARIADB, "mysqldump": MYSQL, "mariadb-dump": DUMP}
START = ["--user=me", "--host=db"]
#: Each keyword of mysqlclient's connect() but who and where, and what of it the programs get.
KEYWORDS = {
    "unix_socket": ("/run/s", ["--socket=/run/s"]),
    "compress": (True, ["--compress=1"]),
    "connect_timeout": (5, ["--connect-timeout=5"]),
    "init_command": ("SET a=1;", ["--init-command=SET a=1"]),
    "sql_mode": ("ANSI", ["--init-command=SET SESSION sql_mode='ANSI'"]),
    "collation": ("x_bin", ["--init-command=SET NAMES utf8mb4 COLLATE x_bin"]),
    "ssl_mode": ("REQUIRED", ["--ssl-mode=REQUIRED"]),
    "ssl": ({"capath": "/c", "cipher": "A"}, ["--ssl-capath=/c", "--ssl-cipher=A"]),
    "local_infile": (0, ["--local-infile=0"]),
    "server_public_key_path": ("/k", ["--server-public-key-path=/k"]),
    "auth_plugin": ("p", ["--default-auth=p"]),
    "read_default_group": ("client_mine", ["--defaults-group-suffix=_mine"]),
    **dict.fromkeys(libmysql.DRIVER, ("anything", [])),
}


@pytest.fixture
def told(fake, tmp_path):
    """Return what makes the client of a connection with these OPTIONS, of one of the programs."""
    for name, text in HELP.items():
        fake(name, f"print({text!r}) if '--help' in sys.argv else sys.exit('not asked')")

    def client(program, *words, session=(), **options):
        values = {"NAME": "app", "USER": "me", "PASSWORD": "hunter2", "HOST": "db", "PORT": ""}
        connection = types.SimpleNamespace(
            client=DatabaseClient(None), settings_dict={**values, "OPTIONS": options}
        )
        return libmysql.client(
            connection, [str(tmp_path / "fakes" / program)], words, session=session
        )

    return client


@pytest.mark.parametrize("keyword", KEYWORDS)
def test_every_keyword_of_the_driver(told, keyword):
    """A program that has an option for it is told; before the words that the user types."""
    value, words = KEYWORDS[keyword]
    client = told("mysql", "--table", **{keyword: value})
    assert client.argv[1:] == [*words, *START, "app", "--table"]
    assert (client.untold, client.files) == ((), ())
    assert client.environment["MYSQL_PWD"] == "hunter2"


@pytest.mark.parametrize(
    ("program", "keyword"),
    [
        ("mariadb", "server_public_key_path"),
        ("mariadb-dump", "init_command"),
        ("mariadb-dump", "connect_timeout"),
        ("mariadb-dump", "local_infile"),
        ("mysql", "program_name"),
        ("mysql", "auth_token"),
        ("mysql", "auth_plugin_map"),
    ],
)
def test_what_a_program_cannot_be_told_is_named(told, program, keyword):
    """It is none of its words, and the one line names it, without its value."""
    value = {} if keyword == "auth_plugin_map" else "hunter22"
    client = told(program, **{keyword: value})
    assert client.argv[1:] == [*START, "app"]
    assert client.untold == (keyword,)
    assert client.warning() == f"{program} is not told of OPTIONS: {keyword}."


def test_what_begins_a_session_is_one_option(told):
    """In the order of the driver; what makes it read-only comes last."""
    options = {"init_command": "SET a=1; SET b=2; ", "sql_mode": "ANSI", "collation": "c_bin"}
    client = told("mariadb", charset="c", session=[shell.MYSQL_READ_ONLY], **options)
    statements = (
        "SET a=1; SET b=2; SET NAMES c COLLATE c_bin; SET SESSION sql_mode='ANSI'; "
        "SET SESSION TRANSACTION READ ONLY"
    )
    charset = "--default-character-set=c"
    assert client.argv[1:] == [f"--init-command={statements}", *START, charset, "app"]


def test_dump_makes_its_own_session(told):
    """Of what begins a session a dump is told the command alone, where it has the option."""
    options = {"init_command": "SET ROLE x", "sql_mode": "ANSI", "collation": "c_bin"}
    client = told("mysqldump", **options)
    assert client.argv[1:] == ["--init-command=SET ROLE x", *START, "app"]
    assert told("mariadb-dump", **options).untold == ("init_command",)


@pytest.mark.parametrize(
    ("mode", "words"),
    [
        ("DISABLED", ["--skip-ssl"]),
        ("PREFERRED", []),
        ("REQUIRED", ["--ssl", "--skip-ssl-verify-server-cert"]),
        ("verify_ca", ["--ssl", "--ssl-verify-server-cert"]),
        ("VERIFY_IDENTITY", ["--ssl", "--ssl-verify-server-cert"]),
    ],
)
def test_mariadb_has_other_words_for_the_mode(told, mode, words):
    """Those into which the driver translates it as well."""
    assert told("mariadb", ssl_mode=mode).argv[1:] == [*words, *START, "app"]
    assert told("mysql", ssl_mode=mode).argv[1:] == [f"--ssl-mode={mode}", *START, "app"]


@pytest.mark.parametrize(
    ("options", "what"),
    [
        ({"ssl_mode": "NEW"}, "ssl_mode NEW"),
        ({"ssl": {"key_password": "hunter22"}}, "ssl_key_password"),
        ({"ssl": {"capath": object()}}, "ssl_capath"),
        ({"ssl_verify_identity": True}, "ssl_verify_identity"),
        ({"ssl_key_password": "hunter22"}, "ssl_key_password"),
    ],
)
def test_what_would_be_less_safe_is_refused(told, options, what):
    """A connection that is encrypted otherwise than the application's is not made."""
    with pytest.raises(NotHandedOnError) as refused:
        told("mariadb", **options)
    assert str(refused.value) == (
        f"mariadb cannot be told {what} of OPTIONS, and would connect less safely than the "
        "application: install a client that can, or take it out of OPTIONS."
    )


def test_option_files(told):
    """The file stays the first word; a group that the program reads is none of its words."""
    file = {"read_default_file": "/x.cnf"}
    client = told("mysql", **file, read_default_group="client_a", compress=True)
    words = ["--defaults-file=/x.cnf", "--defaults-group-suffix=_a", "--compress=1"]
    assert client.argv[1:] == [*words, *START, "app"]
    for group in ("client", "mysql"):
        client = told("mysql", **file, read_default_group=group)
        assert client.argv[1:] == [words[0], *START, "app"]


@pytest.mark.parametrize(("program", "group"), [("mysql", "mine"), ("mysqldump", "mysql")])
def test_group_that_no_program_reads_is_refused(told, program, group):
    """The program would go where the file's other groups lead; the line says what helps."""
    with pytest.raises(NotHandedOnError) as refused:
        told(program, read_default_group=group)
    assert str(refused.value) == (
        f"OPTIONS names the group {group} of the option files, which {program} does not read: "
        f"call it client_{group}, there and in OPTIONS."
    )


def test_programs_are_asked_where_it_matters_alone(told):
    """Without OPTIONS no program is started for its options."""
    Path(told("mysql").argv[0]).unlink()
    assert told("mysql", charset="utf8mb4", ssl={"ca": "/ca"}).argv[1:] == [
        *START,
        "--ssl-ca=/ca",
        "--default-character-set=utf8mb4",
        "app",
    ]
