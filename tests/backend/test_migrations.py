"""The article's examples hold here: its three migrations, and the SQL of the second."""

import pytest


@pytest.mark.slow
@pytest.mark.engines("postgresql")
def test_showmigrations_lists_the_articles_three(commands, database_url):
    """`showmigrations users` prints the three migrations, applied."""
    done = commands.manage("showmigrations", "users", DATABASE_URL=database_url)
    assert done.out == (
        "users\n [X] 0001_initial\n [X] 0002_first_name_to_150_max\n [X] 0003_profile\n"
    )


@pytest.mark.slow
@pytest.mark.engines("postgresql")
def test_sqlmigrate_prints_the_articles_statement(commands, database_url):
    """On PostgreSQL the second migration is one ALTER COLUMN."""
    done = commands.manage("sqlmigrate", "users", "0002", DATABASE_URL=database_url)
    assert done.out == (
        "BEGIN;\n"
        "--\n"
        "-- Alter field first_name on user\n"
        "--\n"
        'ALTER TABLE "users_user" ALTER COLUMN "first_name" TYPE varchar(150);\n'
        "COMMIT;\n"
    )


@pytest.mark.slow
@pytest.mark.engines("postgresql")
def test_models_have_their_migrations(commands, database_url):
    """`makemigrations --check` finds nothing to write."""
    done = commands.manage("makemigrations", "--check", "--dry-run", DATABASE_URL=database_url)
    assert (done.code, done.out) == (0, "No changes detected\n")
