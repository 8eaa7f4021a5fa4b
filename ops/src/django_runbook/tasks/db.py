"""`inv db.*`: the database."""

from invoke import Collection, Context

from django_runbook.tasks.cli.declaration import task
from django_runbook.tasks.cli.operands import APP, need, words
from django_runbook.tasks.processes import target
from django_runbook.tasks.processes.process import become, manage, options, require, typed

GROUP = "Database"
MIGRATION = "A migration's name or how it begins; zero undoes all."
CONFIRM = "The database's name: answers the question that a protected target asks."


@task(
    operands=("app_label", "migration_name"),
    passes_on=True,
    help={
        "app-label": APP,
        "migration-name": MIGRATION,
        "plan": "Show what would be done, and do nothing.",
        "backup": "Save the database first; where that fails, nothing is migrated.",
        "fake": "Record it without running it.",
        "lock-timeout": "Seconds to wait for a lock before trying again (default: 2).",
        "statement-timeout": "Seconds that one statement may run (default: the server's).",
        "wait": "Seconds to wait for another migrate to end (default: 60).",
        "confirm": CONFIRM,
    },
)
def migrate(
    c: Context,
    app_label: str | None = None,
    migration_name: str | None = None,
    plan: bool = False,
    backup: bool = False,
    fake: bool = False,
    lock_timeout: str | None = None,
    statement_timeout: str | None = None,
    wait: str | None = None,
    confirm: str | None = None,
) -> None:
    """Apply migrations, or go back to one (migrate)."""
    chosen = options(
        plan=plan,
        backup=backup,
        fake=fake,
        lock_timeout=lock_timeout,
        statement_timeout=statement_timeout,
        wait=wait,
        confirm=confirm,
    )
    target.require_guard(c)
    become(c, manage(c, "migrate", *words(app_label, migration_name), *chosen, *typed()))


@task(
    operands=("app_label",),
    iterable=("app_label",),
    passes_on=True,
    help={
        "app-label": APP,
        "check": "Write nothing; fail where a model lacks a migration.",
        "dry-run": "Show what would be written.",
        "empty": "Write an empty migration, for one by hand.",
        "merge": "Join two leaves of an app.",
        "name": "The name of the migration.",
    },
)
def make(
    c: Context,
    app_label: list[str],
    check: bool = False,
    dry_run: bool = False,
    empty: bool = False,
    merge: bool = False,
    name: str | None = None,
) -> None:
    """Write migrations for changed models (makemigrations)."""
    chosen = options(check=check, dry_run=dry_run, empty=empty, merge=merge, name=name)
    become(c, manage(c, "makemigrations", *chosen, *words(*app_label), *typed()))


@task(
    operands=("app_label",),
    iterable=("app_label",),
    passes_on=True,
    help={"app-label": APP, "plan": "Show them in the order of applying."},
)
def show(c: Context, app_label: list[str], plan: bool = False) -> None:
    """Show which migrations are applied (showmigrations)."""
    become(c, manage(c, "showmigrations", *options(plan=plan), *words(*app_label), *typed()))


@task(
    operands=("app_label", "migration_name"),
    passes_on=True,
    help={
        "app-label": APP,
        "migration-name": "A migration's name or how it begins.",
        "backwards": "Show the SQL that undoes it.",
    },
)
def sql(
    c: Context,
    app_label: str | None = None,
    migration_name: str | None = None,
    backwards: bool = False,
) -> None:
    """Print the SQL of a migration (sqlmigrate)."""
    need(app_label, migration_name, "inv db.sql users 0002")
    named = words(app_label, migration_name)
    become(c, manage(c, "sqlmigrate", *options(backwards=backwards), *named, *typed()))


@task()
def check(c: Context) -> None:
    """Report what is wrong with the migrations, with the fix."""
    become(c, manage(c, "check_migrations"))


@task(
    passes_on=True,
    help={
        "write": "Allow writing to a protected target, which is read-only without it.",
        "sql": "Run this query and leave.",
        "confirm": CONFIRM,
    },
)
def shell(
    c: Context, write: bool = False, sql: str | None = None, confirm: str | None = None
) -> None:
    """Open psql, sqlite3 or mysql (dbshell)."""
    chosen = options(write=write, sql=sql, confirm=confirm)
    become(c, manage(c, "dbshell", *chosen, *_client_words(typed())))


@task(help={"timeout": "Seconds to wait at the most."})
def wait(c: Context, timeout: int = 60) -> None:
    """Wait until the database answers."""
    become(c, manage(c, "wait_for_database", *options(timeout=timeout)))


@task(passes_on=True, help={"output": "The file to write (default: a new one in var/backups)."})
def backup(c: Context, output: str | None = None) -> None:
    """Save the database with its own tools (pg_dump, ...)."""
    become(c, manage(c, "backup", *options(output=output), *typed()))


@task(
    operands=("file",),
    passes_on=True,
    help={
        "file": "A backup that inv db.backup wrote.",
        "allow-state-change": "Restore although the migrations differ.",
        "no-backup": "Do not save first what is replaced, on a protected target.",
        "confirm": CONFIRM,
    },
)
def restore(
    c: Context,
    file: str | None = None,
    allow_state_change: bool = False,
    no_backup: bool = False,
    confirm: str | None = None,
) -> None:
    """Replace all that is in the database by a backup."""
    need(file, file, "inv db.restore var/backups/FILE")
    chosen = options(allow_state_change=allow_state_change, no_backup=no_backup, confirm=confirm)
    become(c, manage(c, "restore", *chosen, *words(file), *typed()))


@task(passes_on=True, help={"confirm": CONFIRM})
def flush(c: Context, confirm: str | None = None) -> None:
    """Delete every row and keep the tables (flush)."""
    target.require_guard(c)
    become(c, manage(c, "flush", "--no-input", *options(confirm=confirm), *typed()))


@task(passes_on=True, help={"confirm": CONFIRM})
def reset(c: Context, confirm: str | None = None) -> None:
    """Drop the database, make it anew, migrate (reset_db)."""
    require("django_extensions", "inv db.reset")
    target.require_guard(c)
    fixed = ("--noinput", "--close-sessions", "--migrate")
    become(c, manage(c, "reset_db", *fixed, *options(confirm=confirm), *typed()))


def _client_words(given: list[str]) -> list[str]:
    """Return what was typed for dbshell: words of the client stand behind a ``--`` of their own."""
    own = not given or "--" in given or given[0].startswith("--database")
    return given if own else ["--", *given]


collection = Collection(
    "db", migrate, make, show, sql, check, shell, wait, backup, restore, flush, reset
)
