"""Walks a migration's operations, each with the models before and after it."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, TypeGuard

from django.db import router
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.migrations import operations
from django.db.migrations.migration import Migration
from django.db.migrations.operations.base import Operation
from django.db.migrations.state import ProjectState

from django_runbook.schema.review.plan import Risk, Severity
from django_runbook.schema.review.sql import lexing


@dataclass(frozen=True, kw_only=True)
class Step:
    """One operation that reaches the database, and the models before and after it.

    ``index`` is that of the outermost operation. ``fresh`` are the tables that the migration has
    made before this step: nobody else sees them yet.
    """

    index: int
    operation: Operation
    app_label: str
    before: ProjectState
    after: ProjectState
    connection: BaseDatabaseWrapper
    fresh: frozenset[str]
    atomic: bool

    @property
    def on_postgresql(self) -> bool:
        """Whether the rules about PostgreSQL's locks hold."""
        return self.connection.vendor == "postgresql"

    def old_model(self, name: str) -> Any:
        """Return a model before the step; None where its table is new or is not migrated here."""
        model = self.model_in(self.before, name)
        return None if model is None or model._meta.db_table in self.fresh else model

    def new_model(self, name: str) -> Any:
        """Return a model after the step; None where it is not migrated here."""
        return self.model_in(self.after, name)

    def risk(
        self, rule: str, severity: Severity, reason: str, rewrite: str, table: str = ""
    ) -> Risk:
        """Return what a rule found at this operation."""
        return Risk(
            rule=rule,
            severity=severity,
            reason=reason,
            rewrite=rewrite,
            source="rules",
            operation=self.index,
            table=table,
        )

    def model_in(self, state: ProjectState, name: str) -> Any:
        """Return a model of a state; None where it is missing, or is not migrated here."""
        if (self.app_label, name.lower()) not in state.models:
            return None
        model = state.apps.get_model(self.app_label, name)
        allowed = self.operation.allow_migrate_model(self.connection.alias, model)
        return model if allowed else None


@dataclass
class Walk:
    """The steps of one migration, in order; ``fresh`` grows on the way."""

    migration: Migration
    connection: BaseDatabaseWrapper
    fresh: set[str] = field(default_factory=set)

    def steps(self, state: ProjectState) -> Iterator[Step]:
        """Yield the steps, those inside SeparateDatabaseAndState as well.

        ``state`` is that before the migration, and is spent. Raises ``BrokenStateError``.
        """
        _ = state.apps  # rendered once, then kept up to date, as Django's executor does
        for index, operation in enumerate(self.migration.operations):
            before = state.clone()
            self._forwards(index, operation, state)
            yield from self._inside(index, operation, before, state.clone())

    def _inside(
        self, index: int, operation: Operation, before: ProjectState, after: ProjectState
    ) -> Iterator[Step]:
        if not self._is_allowed(operation):
            return
        step = Step(
            index=index,
            operation=operation,
            app_label=self.migration.app_label,
            before=before,
            after=after,
            connection=self.connection,
            fresh=frozenset(self.fresh),
            atomic=self.migration.atomic,
        )
        yield step
        if isinstance(operation, operations.SeparateDatabaseAndState):
            state = before.clone()
            for inner in operation.database_operations:
                earlier = state.clone()
                self._forwards(index, inner, state)
                yield from self._inside(index, inner, earlier, state.clone())
        else:
            self.fresh.update(_made(step))

    def _is_allowed(self, operation: Operation) -> bool:
        """Whether code and SQL run on this database; for models, each rule asks for itself."""
        return not isinstance(
            operation, operations.RunPython | operations.RunSQL
        ) or router.allow_migrate(
            self.connection.alias, self.migration.app_label, **operation.hints
        )

    def _forwards(self, index: int, operation: Operation, state: ProjectState) -> None:
        try:
            operation.state_forwards(self.migration.app_label, state)
        except Exception as error:
            raise BrokenStateError(index, f"{type(error).__name__}: {error}") from error


def is_postgresql_own(operation: Operation, name: str) -> TypeGuard[Any]:
    """Tell whether this is an operation of ``django.contrib.postgres``, or of a subclass.

    By its name: that package cannot be imported without a driver, and without one no migration
    that has such an operation can be loaded either.
    """
    return any(
        (each.__module__, each.__name__) == ("django.contrib.postgres.operations", name)
        for each in type(operation).__mro__
    )


class BrokenStateError(Exception):
    """An operation does not fit the models before it."""

    def __init__(self, index: int, why: str) -> None:
        super().__init__(why)
        self.index = index


def _made(step: Step) -> set[str]:
    """Return the tables that a step makes, or that are new and get another name by it."""
    operation = step.operation
    if isinstance(operation, operations.CreateModel):
        return _tables(step.new_model(operation.name))
    if isinstance(operation, operations.RenameModel):
        old = _tables(step.model_in(step.before, operation.old_name))
        return _tables(step.new_model(operation.new_name)) if old & step.fresh else set()
    if isinstance(operation, operations.AlterModelTable):
        old = _tables(step.model_in(step.before, operation.name))
        return _tables(step.new_model(operation.name)) if old & step.fresh else set()
    if isinstance(operation, operations.AddField) and operation.field.many_to_many:
        return _tables(step.new_model(operation.model_name)) - _tables(
            step.model_in(step.before, operation.model_name)
        )
    if isinstance(operation, operations.RunSQL):
        return lexing.created_tables(lexing.text_of(operation.sql))
    return set()


def _tables(model: Any) -> set[str]:
    if model is None:
        return set()
    many = [each.remote_field.through._meta for each in model._meta.local_many_to_many]
    return {model._meta.db_table, *(through.db_table for through in many if through.auto_created)}
