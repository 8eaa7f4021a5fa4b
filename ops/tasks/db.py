"""`inv db.*`: the database."""

from invoke import Collection, Context

from ops.tasks.base import task
from ops.tasks.process import become, manage, typed


@task(passes_on=True)
def migrate(c: Context) -> None:
    """Apply migrations (manage.py migrate); after --: an app, a migration, Django's options."""
    become(c, manage(c, "migrate", *typed()))


@task(passes_on=True)
def shell(c: Context) -> None:
    """Open the database's own shell (manage.py dbshell): psql, sqlite3, mysql."""
    become(c, manage(c, "dbshell", *typed()))


collection = Collection("db", migrate, shell)
