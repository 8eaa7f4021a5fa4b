"""Finds what goes wrong when migrations become one file: what Django defers to the end of one.

The schema editor creates foreign keys, indexes and some constraints of a new table at the end of a
file. An operation behind a barrier that drops or alters them does not find them: they stay, or
PostgreSQL refuses. And PostgreSQL alters no table with "pending trigger events": rows that were
changed in the same transaction, and have deferred foreign keys or are meant by some (see Django's
documentation of ``RunPython``).
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from django.db import migrations, models
from django.db.migrations.operations.base import Operation
from django.db.migrations.operations.models import IndexOperation
from django.db.migrations.state import ProjectState

from django_runbook.schema.squash.plan import ddl
from django_runbook.schema.squash.plan.ddl import Step
from django_runbook.schema.squash.plan.partition import Barrier
from django_runbook.schema.squash.plan.row_writes import ALL, ModelKey, sql_text, target, touched

Name = tuple[ModelKey, str]


@dataclass(frozen=True, kw_only=True)
class _Born:
    """Where a part of a table was created: the file, the run, and what of it is deferred."""

    number: int
    run: int
    field: "models.Field[Any, Any] | None"
    what: str


class DeferredSql:
    """Walks the operations of a range with the state that each meets, and collects barriers."""

    def __init__(self, app_label: str, state: ProjectState) -> None:
        self.barriers: list[Barrier] = []
        self.state = state
        self._label = app_label
        self._tables: dict[ModelKey, tuple[int, int]] = {}
        self._born: dict[Name, _Born] = {}
        #: The first number at which a file may begin that finds the foreign key in place.
        self._links: dict[Name, tuple[int, frozenset[ModelKey]]] = {}
        self._data: dict[ModelKey, list[tuple[int, int]]] = {}
        self.outside()

    def outside(self) -> None:
        """Take in the foreign keys of the state that are not in the range: they are there."""
        for key, model in self.state.models.items():
            for name, field in model.fields.items():
                if field.remote_field and (key, name) not in self._links:
                    self._links[key, name] = (0, frozenset({key, target(field, key)}))

    def step(self, step: Step) -> None:
        """Take the next operation in, and change the state by it."""
        for part in ddl.database_operations(step.operation):
            self._meet_deferred(step, part)
            for key in ddl.altered_tables(part, self._label, self.state):
                self._meet_data(step, key)
            if ddl.settles(part):
                self._data.clear()
        if step.atomic:
            self._change_rows(step)
        self._forget(step.operation)
        step.operation.state_forwards(self._label, self.state)
        self._create(step, step.operation)

    def _meet_data(self, step: Step, key: ModelKey) -> None:
        """Note that a table is altered whose rows were changed before."""
        before = [one for one in self._data.get(key, ()) if one[0] < step.number]
        for number, low in before if step.atomic else ():
            self._data[key].remove((number, low))
            if low <= number:
                label = ".".join(key)
                why = f"alters {label} after its rows may have changed: pending trigger events"
                self._bar(low, number, step.number, why)

    def _change_rows(self, step: Step) -> None:
        """Note the tables whose rows an operation may change, and what is still deferred there."""
        found = touched(step.operation, step.source, self.state)
        for key in sorted(self.state.models if found is ALL else found):
            low = min((low for low, ends in self._links.values() if key in ends), default=None)
            if low is None or key not in self.state.models:
                continue
            known = [one for one in self._data.get(key, ()) if one[1] < low]
            self._data[key] = [*known, (step.number, low)]
            for (own, name), born in self._born.items():
                if own == key and born.what and low <= born.number < step.number:
                    why = f"may change rows of {'.'.join(key)} before {born.what} of {name} is made"
                    self._bar(low, born.number, step.number, why)

    def _meet_deferred(self, step: Step, part: Operation) -> None:
        """Note that something is altered or dropped of which the creation is still deferred."""
        for key, name in [*self._altered(part)]:
            born = self._born.get((key, name))
            if born and born.what and born.run != step.run and born.number < step.number:
                label = ".".join((*key, name)) if born.field else f"{'.'.join(key)} {name}"
                why = f"alters {label}, while {born.what} would not be made yet"
                self._bar(0, born.number, step.number, why)
                del self._born[key, name]

    def _altered(self, part: Operation) -> Iterator[Name]:
        """Yield the parts of tables whose indexes and keys an operation expects to be there."""
        if isinstance(part, migrations.AlterField):
            yield from self._altered_field((self._label, part.model_name_lower), part)
        elif isinstance(part, migrations.RemoveConstraint):
            yield (self._label, part.model_name_lower), part.name
        elif isinstance(part, migrations.RenameIndex) and part.old_name:
            yield (self._label, part.model_name_lower), part.old_name
        elif isinstance(part, migrations.AlterUniqueTogether):
            key = (self._label, part.name_lower)
            kept = {_together(one) for one in part.option_value or ()}
            names = [name for own, name in self._born if own == key and name.startswith("(")]
            yield from ((key, name) for name in names if name not in kept)
        elif isinstance(part, migrations.RunSQL) and ddl.UNDOES.search(sql_text(part)):
            tables = {*ddl.named_tables(part, self.state)}
            yield from (name for name in self._born if name[0] in tables)

    def _altered_field(self, key: ModelKey, part: migrations.AlterField) -> Iterator[Name]:
        born = self._born.get((key, part.name))
        model = self.state.models.get(key)
        old = model.fields.get(part.name) if model else None
        first = born.field if born and born.field else old
        if first and ddl.signature(first, key) != ddl.signature(part.field, key):
            yield key, part.name
        if old and (old.primary_key or old.unique) and ddl.kind(old) != ddl.kind(part.field):
            for name, other in self._born.items():
                if other.field and other.field.remote_field and target(other.field, name[0]) == key:
                    yield name

    def _create(self, step: Step, operation: Operation) -> None:
        """Note what an operation creates, of which something may be deferred."""
        if isinstance(operation, migrations.CreateModel):
            key = (self._label, operation.name_lower)
            if ddl.has_table(self.state.models[key]):
                self._tables[key] = (step.number, step.run)
                for name, field in operation.fields:
                    self._add_field(step, key, name, field)
                self._add_options(key)
        elif isinstance(operation, migrations.AddField):
            key = (self._label, operation.model_name_lower)
            self._add_field(step, key, operation.name, operation.field)
        elif isinstance(operation, migrations.AlterField):
            key = (self._label, operation.model_name_lower)
            self._alter_field(step, key, operation.name, operation.field)
        elif isinstance(operation, IndexOperation | migrations.AlterUniqueTogether):
            model = _model_of(operation)
            if self._tables.get((self._label, model), (0, -1))[1] == step.run:
                self._add_options((self._label, model))

    def _add_field(
        self, step: Step, key: ModelKey, name: str, field: "models.Field[Any, Any]"
    ) -> None:
        """Note a new field. In its own file its foreign key has no pending events.

        With its table it is deferred; alone it is made with ``SET CONSTRAINTS ... IMMEDIATE``.
        """
        what = ddl.deferred(field, new_table=self._tables.get(key, (0, -1))[1] == step.run)
        self._born[key, name] = _Born(number=step.number, run=step.run, field=field, what=what)
        self._link(key, name, field, step.number + 1)

    def _alter_field(
        self, step: Step, key: ModelKey, name: str, field: "models.Field[Any, Any]"
    ) -> None:
        """Note a field's new definition: as if it was created so, where the two are merged."""
        born = self._born.get((key, name))
        if born and born.run == step.run:
            self._add_field(replace(step, number=born.number), key, name, field)
        elif not born or not born.field or not ddl.same_link(born.field, field, key):
            self._link(key, name, field, 0)

    def _link(self, key: ModelKey, name: str, field: "models.Field[Any, Any]", low: int) -> None:
        self._links.pop((key, name), None)
        if field.remote_field:
            self._links[key, name] = (low, frozenset({key, target(field, key)}))

    def _add_options(self, key: ModelKey) -> None:
        """Note the indexes and constraints that a new table gets at the end."""
        number, run = self._tables[key]
        options = self.state.models[key].options
        names = [one.name for one in options.get("indexes", ())]
        names += [one.name for one in options.get("constraints", ()) if ddl.defers(one)]
        names += [_together(one) for one in options.get("unique_together") or ()]
        for name in names:
            self._born[key, name] = _Born(number=number, run=run, field=None, what="it")

    def _forget(self, operation: Operation) -> None:
        """Rename or drop what was noted, as an operation does in the database."""
        match operation:
            case migrations.RenameModel():
                old = (self._label, operation.old_name_lower)
                new = (self._label, operation.new_name_lower)
                _move(self._tables, {old: new})
                _move(self._data, {old: new})
                for noted in (self._born, self._links):
                    _move(noted, {name: (new, name[1]) for name in noted if name[0] == old})
                for name, (low, ends) in self._links.items():
                    self._links[name] = (low, frozenset(new if end == old else end for end in ends))
            case migrations.RenameField():
                key = (self._label, operation.model_name_lower)
                for noted in (self._born, self._links):
                    _move(noted, {(key, operation.old_name): (key, operation.new_name)})
            case migrations.RemoveField():
                name = ((self._label, operation.model_name_lower), operation.name)
                for noted in (self._born, self._links):
                    _move(noted, {name: None})
            case migrations.DeleteModel():
                key = (self._label, operation.name_lower)
                _move(self._tables, {key: None})
                _move(self._data, {key: None})
                for noted in (self._born, self._links):
                    _move(noted, {name: None for name in noted if name[0] == key})
            case _:
                return

    def _bar(self, low: int, high: int, end: int, why: str) -> None:
        self.barriers.append(
            Barrier(low=low, high=high, end=end, reason=why, fix="It begins a file of its own.")
        )


def _model_of(operation: IndexOperation | migrations.AlterUniqueTogether) -> str:
    if isinstance(operation, IndexOperation):
        return str(operation.model_name_lower)
    return operation.name_lower


def _together(names: Sequence[str]) -> str:
    return f"({', '.join(names)})"


def _move(noted: dict[Any, Any], names: Mapping[Any, Any]) -> None:
    """Give what is noted other names; None drops it."""
    for old, new in names.items():
        found = noted.pop(old, None)
        if found is not None and new is not None:
            noted[new] = found
