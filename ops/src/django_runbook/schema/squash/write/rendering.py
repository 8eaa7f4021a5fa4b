"""Writes the whole text of a squashed migration, from its operations and what they replace."""

import ast
import re
import sys
from collections.abc import Iterator, Mapping, Sequence

from django.conf import settings
from django.db.migrations.loader import MigrationLoader
from django.db.migrations.migration import Migration, SwappableTuple
from django.db.migrations.operations.base import Operation

from django_runbook.schema.errors import MigrationsError
from django_runbook.schema.squash.source.copying import Copier
from django_runbook.schema.squash.source.imports import from_line
from django_runbook.schema.squash.source.module import Source, read
from django_runbook.schema.squash.write.compatibility import PLAIN, difference, kind
from django_runbook.schema.squash.write.operations import is_written, written

INDENT = "    "
SWAPPABLE = re.compile(r"swappable_dependency\(\s*settings\.(\w+)")


class FileWriter:
    """Writes one file, which replaces these migrations.

    ``renamed``: names of this app's migrations that another file replaces, with that one's name.
    ``replaced``: all migrations whose files will be gone, where those are more.
    """

    def __init__(
        self,
        loader: MigrationLoader,
        migrations: Sequence[Migration],
        renamed: Mapping[str, str],
        replaced: Sequence[Migration] = (),
    ) -> None:
        self._migrations = migrations
        self._renamed = renamed
        self._label = migrations[0].app_label
        own = {type(migration).__module__: None for migration in migrations}
        gone = {*own, *(type(migration).__module__ for migration in replaced)}
        found = sorted((loader.disk_migrations or {}).items())
        others = {type(other).__module__: None for (app, _), other in found if app == self._label}
        self._sources = {
            module: read(module) for module in {**own, **others} if module in sys.modules
        }
        self._copier = Copier([*self._sources.values()], gone)
        self._nodes = dict(self._written_out())

    def text(self, operations: Sequence[Operation]) -> str:
        """Return the file. Raises ``MigrationsError`` for what cannot be copied into it."""
        head = self._head()
        parts = [*self._attributes()]
        body = "\n".join(self._operation(operation) for operation in operations)
        parts.append(f"{INDENT}operations = [\n{body}\n{INDENT}]")
        above = self._copier.finish()
        code = f"\n\n{above.code}\n" if above.code else ""
        text = f"{above.imports}\n{code}\n\n{head}\n" + "\n\n".join(parts) + "\n"
        return self._copier.resolved(text)

    def _written_out(self) -> Iterator[tuple[int, tuple[Source, ast.expr]]]:
        """Yield where operations stand in the sources, by the operations' identity."""
        for migration in self._migrations:
            source = self._source(migration)
            nodes = source.operations()
            if len(nodes) == len(migration.operations):
                for operation, node in zip(migration.operations, nodes, strict=True):
                    yield id(operation), (source, node)

    def _operation(self, operation: Operation) -> str:
        """Return an operation: as its author wrote it, or as Django's writer does."""
        place = self._nodes.get(id(operation))
        if place and is_written(operation):
            return f"{INDENT * 2}{self._copier.expression(*place)},"
        return written(operation, self._copier)

    def _head(self) -> str:
        """Return the class's first lines: its bases, and what it sets for them."""
        first = self._migrations[0]
        source = self._source(first)
        same = kind(first, source)
        for migration in self._migrations[1:]:
            why = difference(same, kind(migration, self._source(migration)))
            if why:
                raise MigrationsError(
                    f"{migration.name} cannot be merged with those before: {why}."
                )
        if same.alone:
            raise MigrationsError(f"{first.name} cannot be merged with others: {same.alone}.")
        if same.bases == PLAIN or source.migration is None:
            return "class Migration(migrations.Migration):"
        bases = [self._copier.expression(source, base) for base in source.migration.bases]
        lines = [f"class Migration({', '.join(bases)}):"]
        for node in source.own():
            match node:  # with anything else it would be alone
                case (
                    ast.Assign(targets=[target, *_], value=value)
                    | ast.AnnAssign(target=target, value=ast.expr() as value)
                ):
                    text = self._copier.expression(source, value)
                    lines.append(f"{INDENT}{ast.unparse(target)} = {text}")
        return "\n".join(lines)

    def _attributes(self) -> Iterator[str]:
        first = self._migrations[0]
        if _is_initial(first):
            yield f"{INDENT}initial = True"
        elif first.initial is False:
            yield f"{INDENT}initial = False"
        if not first.atomic:
            yield f"{INDENT}atomic = False"
        yield self._listed("replaces", [self._pair(one.name) for one in self._migrations])
        yield self._listed("dependencies", sorted({*self._dependencies()}))
        run_before = sorted({*self._run_before()})
        if run_before:
            yield self._listed("run_before", run_before)

    def _dependencies(self) -> Iterator[str]:
        """Yield what is needed and not replaced by this file."""
        for migration in self._migrations:
            for parent in migration.dependencies:
                if isinstance(parent, SwappableTuple):
                    yield self._swappable(migration, parent)
                else:
                    yield from self._outside(parent)

    def _run_before(self) -> Iterator[str]:
        for migration in self._migrations:
            for child in migration.run_before:
                yield from self._outside(child)

    def _outside(self, key: tuple[str, str]) -> Iterator[str]:
        """Yield another migration; none for those replaced here and for the app's own first."""
        app, name = key
        own = {migration.name for migration in self._migrations}
        if app != self._label:
            yield f'("{app}", "{name}")'
        elif name not in own and name != "__first__":
            yield self._pair(self._renamed.get(name, name))

    def _pair(self, name: str) -> str:
        return f'("{self._label}", "{name}")'

    def _swappable(self, migration: Migration, parent: SwappableTuple) -> str:
        """Return a dependency on a model that a setting names, with the setting's name."""
        text = self._source(migration).file.read_text("utf-8")
        for name in ["AUTH_USER_MODEL", *SWAPPABLE.findall(text)]:
            if getattr(settings, name, None) == parent.setting:
                self._copier.require([from_line("from django.conf import settings")])
                return f"migrations.swappable_dependency(settings.{name})"
        return f'migrations.swappable_dependency("{parent.setting}")'

    def _source(self, migration: Migration) -> Source:
        return self._sources[type(migration).__module__]

    def _listed(self, name: str, items: Sequence[str]) -> str:
        lines = "".join(f"{INDENT * 2}{item},\n" for item in items)
        return f"{INDENT}{name} = [\n{lines}{INDENT}]"


def _is_initial(migration: Migration) -> bool:
    """Tell whether ``--fake-initial`` looks at a migration, by Django's own rule."""
    own = any(app == migration.app_label for app, _ in migration.dependencies)
    return migration.initial is True or (migration.initial is None and not own)
