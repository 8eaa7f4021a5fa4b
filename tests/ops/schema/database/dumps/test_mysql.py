"""MySQL and MariaDB, without a server: the programs are fakes, and so is the connection."""

import contextlib
import types

import pytest
from django.db.backends.mysql.client import DatabaseClient

from django_runbook.schema.database.dumps import mysql
from django_runbook.schema.errors import BackupFailedError, BackupRefusedError


class Server:
    """Answers what a restore asks, and writes down what it is told."""

    def __init__(self):
        self.told = []
        self.rows = []
        self.answers = {
            "@@hostname": ["hunter2"],
            "DATABASE()": ["shop"],
            "<> 'BASE TABLE'": [],
            "table_schema = %s": ["t"],
        }

    def execute(self, statement, _values=()):
        self.told += [] if statement.startswith("SELECT") else [statement]
        found = [rows for words, rows in self.answers.items() if words in statement]
        self.rows = [(row,) for row in (found or [[]])[0]]

    def fetchall(self):
        return self.rows


@pytest.fixture
def server(monkeypatch, fake, tmp_path):
    """Return a MySQL server that is none; its programs write their arguments to ``log``."""
    made = Server()
    options = {"USER": "me", "PASSWORD": "hunter2", "HOST": "db", "PORT": "", "OPTIONS": {}}
    connection = types.SimpleNamespace(
        vendor="mysql",
        mysql_is_mariadb=False,
        client=DatabaseClient(None),
        settings_dict={"NAME": "shop", **options},
        ops=types.SimpleNamespace(quote_name="`{}`".format),
        cursor=lambda: contextlib.nullcontext(made),
        close=lambda: None,
    )
    monkeypatch.setattr("django.db.connections._connections.default", connection, raising=False)
    for name in ("mysqldump", "mysql"):
        line = f"print(sys.argv[1:], file=open({str(tmp_path / 'log')!r}, 'a'))"
        fake(name, line, "print(os.environ['MYSQL_PWD'])", "sys.exit('no' in sys.stdin.read())")
    return made


def test_mysqldump_gets_its_password_in_the_environment(server, tmp_path):
    """One transaction, locks nothing, and the arguments are without the password."""
    mysql.dump("default", tmp_path / "saved")
    assert (tmp_path / "saved").read_text() == "hunter2\n"
    asked, called = (tmp_path / "log").read_text().splitlines()
    assert asked.startswith("['--user=me', '--host=db', 'shop', '--batch', ")
    assert called.startswith("['--user=me', '--host=db', 'shop', '--single-transaction', ")
    assert "hunter2" not in called


def test_mysqldump_that_would_go_elsewhere(server, tmp_path):
    """The client's server says who it is, and is another than the driver's: nothing is saved."""
    server.answers["@@hostname"] = ["other 3306 /data/ shop"]
    with pytest.raises(BackupRefusedError, match="another server than the application"):
        mysql.dump("default", tmp_path / "saved")
    assert not (tmp_path / "saved").exists()


def test_mysql_restore_is_one_exchange(server, tmp_path):
    """A new database is filled, and takes the old one's place in a single statement."""
    (tmp_path / "saved").write_text("SELECT 1")
    mysql.load("default", tmp_path / "saved", privileges=True)
    new, old = (server.told[place].split("`")[1] for place in (0, 1))
    assert (new[:13], old[:9]) == ("shop_restore_", "shop_old_")
    assert (tmp_path / "log").read_text() == f"['--user=me', '--host=db', '{new}']\n"
    assert server.told == [
        f"CREATE DATABASE `{new}`",
        f"CREATE DATABASE `{old}`",
        "SET lock_wait_timeout = 30",
        f"RENAME TABLE `shop`.`t` TO `{old}`.`t`, `{new}`.`t` TO `shop`.`t`",
        f"DROP DATABASE `{old}`",
        f"DROP DATABASE `{new}`",
    ]


@pytest.mark.parametrize(("sql", "views"), [("no", []), ("SELECT 1", ["a_view"])])
def test_mysql_restore_that_fails(server, tmp_path, sql, views):
    """Neither a broken file nor a view, which cannot be exchanged, touches the database."""
    (tmp_path / "saved").write_text(sql)
    server.answers["<> 'BASE TABLE'"] = views
    with pytest.raises(BackupFailedError):
        mysql.load("default", tmp_path / "saved", privileges=True)
    assert [statement.split("`")[0] for statement in server.told] == [
        "CREATE DATABASE ",
        "DROP DATABASE ",
    ]
