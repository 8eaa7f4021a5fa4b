"""`inv db.plan`, `db.squash` and their like: migrations reviewed, tried out, and squashed."""

from invoke import Context

from django_runbook.tasks.cli.declaration import task
from django_runbook.tasks.cli.operands import APP, need, words
from django_runbook.tasks.processes.process import become, manage, options, typed

SINCE = "Look at the migrations that are new since this commit or branch."
JSON = "Print one JSON object and nothing else."


@task(
    operands=("app_label",),
    passes_on=True,
    help={
        "app-label": APP,
        "since": SINCE,
        "sizes": "What inv db.sizes wrote where the tables are large.",
        "markdown": "Print it for a pull request.",
        "json": JSON,
    },
)
def plan(
    c: Context,
    app_label: str | None = None,
    since: str | None = None,
    sizes: str | None = None,
    markdown: bool = False,
    json: bool = False,
) -> None:
    """Review pending migrations: true SQL, risks, a rehearsal."""
    chosen = options(since=since, sizes=sizes, markdown=markdown, json=json)
    become(c, manage(c, "plan_migrations", *chosen, *words(app_label), *typed()))


@task(passes_on=True)
def sizes(c: Context) -> None:
    """Print how large the tables are, as JSON for db.plan."""
    become(c, manage(c, "table_sizes", *typed()))


@task(
    iterable=("ignore",),
    passes_on=True,
    help={
        "ignore": "Tables to leave out, as in 'legacy_*'; may be repeated.",
        "strict": "Fail for another order or name, too.",
        "json": JSON,
    },
)
def drift(c: Context, ignore: list[str], strict: bool = False, json: bool = False) -> None:
    """Compare the database with what its migrations build."""
    chosen = [*options(strict=strict, json=json), *(f"--ignore={one}" for one in ignore)]
    become(c, manage(c, "schema_drift", *chosen, *typed()))


@task(operands=("app_label",), passes_on=True, help={"app-label": APP, "since": SINCE})
def rollback_check(c: Context, app_label: str | None = None, since: str | None = None) -> None:
    """Try new migrations forward, back and forward again."""
    become(c, manage(c, "rollback_check", *options(since=since), *words(app_label), *typed()))


@task(
    operands=("app_label",),
    iterable=("applied",),
    passes_on=True,
    help={
        "app-label": APP,
        "from": "The first to squash (default: the app's first).",
        "to": "The last to squash (default: the app's last).",
        "dry-run": "Plan and prove, and change no file.",
        "verify": "Check the proofs that are committed.",
        "finish": "Remove the old files, once every environment has recorded the squash.",
        "applied": "NAME=FILE: what applied_migrations printed in an environment.",
        "no-environments": "Finish although no environment is declared.",
    },
)
def squash(
    c: Context,
    applied: list[str],
    app_label: str | None = None,
    from_: str | None = None,
    to: str | None = None,
    dry_run: bool = False,
    verify: bool = False,
    finish: bool = False,
    no_environments: bool = False,
) -> None:
    """Squash migrations, with a proof that nothing is lost."""
    if not verify:
        need(app_label, app_label, "inv db.squash users")
    first = [f"--from={from_}"] if from_ is not None else []
    ways = options(dry_run=dry_run, verify=verify, finish=finish, no_environments=no_environments)
    lists = [f"--applied={one}" for one in applied]
    chosen = [*first, *options(to=to), *ways, *lists]
    become(c, manage(c, "squash", *chosen, *words(app_label), *typed()))


tasks = (plan, sizes, drift, rollback_check, squash)
