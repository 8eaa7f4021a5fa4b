"""Rules about the code of RunPython, read without running it."""

from collections.abc import Iterable, Iterator

from django.db import connections
from django.db.migrations import operations

from django_runbook.schema.review.plan import Risk, Severity
from django_runbook.schema.review.rules.run_python import queries, sources
from django_runbook.schema.review.rules.steps import Step


def risks(step: Step) -> Iterator[Risk]:
    """Yield what the code of a data migration does that hurts on many rows, or later on."""
    operation = step.operation
    if not isinstance(operation, operations.RunPython):
        return
    if operation.code is operations.RunPython.noop:
        return
    try:
        codes = sources.codes(operation.code)
    except (OSError, TypeError, SyntaxError) as error:
        yield step.risk(
            "unseen-operation",
            Severity.NOTE,
            f"The rules cannot read the code of {operation.code!r}: {error}.",
            "Look at it yourself; the rehearsal runs it.",
        )
        return
    yield from _models(step, codes)
    yield from _rows(step, codes)
    several = len(list(connections)) > 1
    if several and any(map(queries.writes, codes)) and not any(map(queries.names_alias, codes)):
        yield step.risk(
            "ignores-alias",
            Severity.NOTE,
            "The code asks the default database, whichever one is migrated.",
            "Use Model.objects.using(schema_editor.connection.alias).",
        )


def _models(step: Step, codes: Iterable[sources.Code]) -> Iterator[Risk]:
    names = _once(sources.real_models(code) for code in codes)
    if any(map(sources.loads_fixtures, codes)):
        names.append("call_command('loaddata')")
    if names:
        yield step.risk(
            "imports-models",
            Severity.DANGER,
            f"{', '.join(names)}: these are today's models, whose columns this migration's "
            f"database may not have yet, or not any more.",
            "Use apps.get_model(app_label, model_name) of the function's first parameter.",
        )


def _rows(step: Step, codes: Iterable[sources.Code]) -> Iterator[Risk]:
    if loaded := _once(queries.loaded(code) for code in codes):
        yield step.risk(
            "loads-whole-table",
            Severity.WARNING,
            f"{', '.join(loaded)}: all rows that match are in memory at once.",
            f"Iterate over {loaded[0]}.iterator(chunk_size=2000), or over slices by the key.",
        )
    if saved := _once(queries.saved(code) for code in codes):
        yield step.risk(
            "saves-row-by-row",
            Severity.WARNING,
            f"{', '.join(saved)}: one statement for each row, and the locks of all of them are "
            f"held until the end.",
            "Use one update() with F expressions, or bulk_update(…, batch_size=2000), in a "
            "migration with atomic = False that commits each batch.",
        )
    if whole := _once(queries.changed_whole(code) for code in codes):
        yield step.risk(
            "changes-whole-table",
            Severity.WARNING,
            f"{', '.join(whole)}: one statement changes each row, and holds their locks until the "
            f"migration ends.",
            "Change the rows in batches by their key, in a migration with atomic = False that "
            "commits each batch.",
        )


def _once(found: Iterable[Iterable[str]]) -> list[str]:
    return list(dict.fromkeys(name for names in found for name in names))
