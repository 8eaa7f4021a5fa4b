"""An app, a live database that is changed by hand, and what `schema_drift` prints of it."""

from io import StringIO

from django.core.management import CommandError, call_command
from django.db import connections
from django.db.migrations.executor import MigrationExecutor

THING = """[migrations.CreateModel("Thing", [
    ("id", models.BigAutoField(primary_key=True)),
    ("code", models.IntegerField(db_index=True)),
    ("size", models.IntegerField(default=1)),
], options={"indexes": [models.Index(fields=["size"], name="by_size")]})]"""
MORE = """[migrations.AddField("thing", "more", models.TextField(null=True))]"""
LATER = """[migrations.AddField("thing", "later", models.TextField(null=True))]"""


def migrate(app: str, name: str) -> None:
    """Apply migrations without Django's signals."""
    MigrationExecutor(connections["default"]).migrate([(app, name)])


def execute(*statements: str) -> None:
    """Change the live database by hand."""
    with connections["default"].cursor() as cursor:
        for statement in statements:
            cursor.execute(statement)


def schema_drift(*arguments: str) -> tuple[str, str, int]:
    """Return what the command prints, its error and its exit code."""
    out, code, failure = StringIO(), 0, ""
    try:
        call_command("schema_drift", *arguments, stdout=out)
    except CommandError as error:
        code, failure = error.returncode, str(error)
    return out.getvalue(), failure, code


def body(out: str) -> str:
    """Return the report without its first line."""
    return out.partition("\n")[2]
