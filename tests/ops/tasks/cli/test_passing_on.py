"""What stands after ``--`` reaches the program that it is for, word for word."""

import pytest


@pytest.mark.slow
@pytest.mark.engines("postgresql")
@pytest.mark.parametrize(
    ("typed", "out"),
    [
        (["-c", "select 40 + 2 as n"], " n  \n----\n 42\n(1 row)\n\n"),
        (["-t", "-A", "-c", "select 'a b;'"], "a b;\n"),
        (["--database=default", "--", "-t", "-A", "-c", "select 1"], "1\n"),
        (["--tuples-only", "--no-align", "-v", "it=7", "-c", "select 2"], "2\n"),
    ],
)
def test_words_of_psql(commands, database_url, typed, out):
    """`inv db.shell -- -c "select 1"` is psql's own, and so are all its options."""
    done = commands.inv("db.shell", "--", *typed, DATABASE_URL=database_url)
    assert (done.code, done.out) == (0, out)


@pytest.mark.engines("sqlite")
def test_words_of_sqlite3(commands, database_url):
    """The same for SQLite's shell."""
    typed = ("-cmd", "select 40 + 2;")
    done = commands.inv("db.shell", "--", *typed, DATABASE_URL=database_url)
    assert (done.code, done.out) == (0, "42\n")
