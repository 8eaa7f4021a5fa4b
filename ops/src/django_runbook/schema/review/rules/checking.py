"""Looks at a migration with every rule."""

from collections.abc import Iterator

from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.migrations.migration import Migration
from django.db.migrations.state import ProjectState

from django_runbook.schema.review.plan import Risk, Severity
from django_runbook.schema.review.rules import columns, indexes, names, statements, transactions
from django_runbook.schema.review.rules.run_python import rules
from django_runbook.schema.review.rules.steps import BrokenStateError, Step, Walk

FAMILIES = (names, columns, indexes, statements, rules)


def risks(
    migration: Migration,
    state: ProjectState,
    connection: BaseDatabaseWrapper,
    fresh: set[str] | None = None,
) -> tuple[Risk, ...]:
    """Return what the rules find, in the order of the operations, the migration's own at its place.

    ``state`` is that before the migration, and is left as it is; ``connection`` is asked for types,
    and for no rows. Tables that the migration makes itself are no risk, nor are those in ``fresh``,
    which grows by them. A rule that fails on an operation nobody foresaw is a risk of its own, and
    hides no other.
    """
    steps: list[Step] = []
    found: list[Risk] = []
    walk = Walk(migration, connection, set() if fresh is None else fresh)
    try:
        for step in walk.steps(state.clone()):
            steps.append(step)
            found += _of(step)
    except BrokenStateError as error:
        found.append(
            Risk(
                rule="broken-state",
                severity=Severity.DANGER,
                reason=f"The operation does not fit the models before it: {error}.",
                rewrite="Mend the migration: see 'inv db.make' for what Django expects.",
                source="rules",
                operation=error.index,
            )
        )
    found += transactions.risks(steps)
    order = {id(risk): place for place, risk in enumerate(found)}
    return tuple(sorted(found, key=lambda risk: (risk.operation or 0, order[id(risk)])))


def _of(step: Step) -> Iterator[Risk]:
    kind = type(step.operation)
    if not kind.__module__.startswith("django."):
        yield step.risk(
            "unseen-operation",
            Severity.NOTE,
            f"{kind.__module__}.{kind.__qualname__} is an operation of its own: the rules see what "
            f"its base class does, and no more.",
            "Look at its SQL above; the rehearsal runs it.",
        )
    for family in FAMILIES:
        try:
            yield from list(family.risks(step))
        except Exception as error:  # noqa: BLE001  # fields and operations of others may raise anything
            yield step.risk(
                "unseen-operation",
                Severity.WARNING,
                f"The rules of {family.__name__.rsplit('.', 1)[-1]} cannot look at it: "
                f"{type(error).__name__}: {error}.",
                "Look at its SQL above; the rehearsal runs it.",
            )
