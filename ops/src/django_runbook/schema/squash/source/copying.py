"""Copies code out of migrations, with all that it needs, into one file."""

import ast
import builtins
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

from django_runbook.schema.errors import MigrationsError
from django_runbook.schema.squash.source.imports import Import, rendered
from django_runbook.schema.squash.source.module import Source, Statement

Meaning = tuple[object, ...]
#: A name of a module: of its source, and itself.
Own = tuple[Source, str]
#: Names that the file itself has.
RESERVED = ("Migration", "migrations", "models")
#: Expressions that need no parentheses, on one line.
BARE = (ast.Name, ast.Attribute, ast.Constant, ast.Lambda, ast.List, ast.Tuple, ast.Dict)
TOKEN = re.compile(r"__copied_(\d+)__")


@dataclass(frozen=True, kw_only=True)
class Copied:
    """What stands above the class: the imports and the code."""

    imports: str
    code: str


class Copier:
    """Collects what a file needs from migrations, then names it so that nothing clashes.

    Until all is known, a token stands for each name and each piece of source.
    """

    def __init__(self, sources: Sequence[Source], replaced: Iterable[str]) -> None:
        self._sources = {source.module: source for source in sources}
        self._replaced = frozenset(replaced)
        self._wanted: list[tuple[Source, str | ast.expr]] = []
        self._imports: set[Import] = {Import(module="django.db", name="migrations")}
        self._meanings: dict[Own, Meaning] = {}
        self._new: dict[Own, str] = {}

    def source(self, module: str) -> Source | None:
        """Return the source of a module whose code is copied; None for all others."""
        return self._sources.get(module)

    def name(self, source: Source, name: str) -> str:
        """Return the token for a name of a module."""
        return self._token(source, name)

    def expression(self, source: Source, node: ast.expr) -> str:
        """Return the token for a piece of a module's source."""
        return self._token(source, node)

    def require(self, wanted: Iterable[Import]) -> None:
        """Have these imported under their own names."""
        self._imports.update(wanted)

    def finish(self) -> Copied:
        """Return the imports and the code that are needed, and settle all names.

        Raises ``MigrationsError`` for code that cannot be copied.
        """
        needed = self._needed()
        self._settle(needed)
        found = set(self._imports)
        for source, name in needed:
            given, _ = self._binding(source, name)
            found.update(one.bound_to(self._new[source, name]) for one in given)
        used = {source for source, _ in self._wanted} | {source for source, _ in needed}
        found.update(one for source in used for one in source.future())
        return Copied(imports=rendered(found), code=self._code(needed))

    def resolved(self, text: str) -> str:
        """Return a text with its tokens replaced. After ``finish``."""
        return TOKEN.sub(lambda match: self._written(*self._wanted[int(match[1])]), text)

    def _token(self, source: Source, wanted: str | ast.expr) -> str:
        self._wanted.append((source, wanted))
        return f"__copied_{len(self._wanted) - 1}__"

    def _written(self, source: Source, wanted: str | ast.expr) -> str:
        if isinstance(wanted, str):
            return self._new[self._origin(source, wanted)]
        text = self._checked(source, source.text(wanted, self._renaming(source)))
        bare = isinstance(wanted, ast.Call) or ("\n" not in text and isinstance(wanted, BARE))
        return text if bare else f"({text})"

    def _renaming(self, source: Source) -> Callable[[str], str]:
        """Return what says how a module's names are called in the new file."""
        return lambda name: self._new.get(self._origin(source, name), name)

    def _origin(self, source: Source, name: str) -> Own:
        """Return where a name comes from: another migration that is copied, or this one."""
        given, _ = source.binding(name)
        for one in given:
            module = source.absolute(one.module) if one.module else one.name
            if one.module and module in self._sources:
                return self._origin(self._sources[module], one.name)
            if module in self._replaced or f"{module}.{one.name}" in self._replaced:
                raise _gone(source, f"imports {module} as a module")
        return source, name

    def _binding(self, source: Source, name: str) -> tuple[tuple[Import, ...], Sequence[Statement]]:
        """Return what makes a name; nothing for builtins. Raises for one from nowhere."""
        given, made = source.binding(name)
        known = hasattr(builtins, name) or (name.startswith("__") and name.endswith("__"))
        if not given and not made and not known:
            raise MigrationsError(
                f"{source.file.name}: it cannot be seen where '{name}' comes from. Write it out."
            )
        return given, made

    def _needed(self) -> list[Own]:
        """Return all names that are needed, directly or by what is copied, in a fixed order."""
        todo = [
            self._origin(source, name)
            for source, wanted in self._wanted
            for name in ([wanted] if isinstance(wanted, str) else _used(source, [wanted]))
        ]
        found: dict[Own, None] = {}
        while todo:
            own = todo.pop(0)
            if own not in found:
                found[own] = None
                todo += self._next(*own)
        order = [*self._sources.values()]
        return sorted(found, key=lambda own: (order.index(own[0]), *_place(*own)))

    def _next(self, source: Source, name: str) -> list[Own]:
        """Return the names that the code behind a name needs."""
        _, made = self._binding(source, name)
        used = _used(source, [one.node for one in made])
        return [self._origin(source, other) for other in used if other != name]

    def _settle(self, needed: Sequence[Own]) -> None:
        """Give every name its new one: the same for the same code, another for other code."""
        taken: dict[str, Meaning] = {name: ("reserved", name) for name in RESERVED}
        taken |= {one.binds: one.meaning for one in self._imports}
        taken["models"] = ("import", "django.db", "models")
        shared: dict[tuple[str, Meaning], str] = {}
        words = {found for source, _ in needed for found in source.words}
        for own in sorted(needed, key=lambda own: self._fixed(*own)):
            meaning = self._meaning(*own, ())
            name = shared.get((own[1], meaning), own[1])
            stem = own[0].module.rpartition(".")[2].partition("_")[0]
            while taken.get(name, meaning) != meaning or (name != own[1] and name in words):
                name = f"{name}_{stem}"
            taken[name] = meaning
            shared[own[1], meaning] = name
            self._new[own] = name

    def _fixed(self, source: Source, name: str) -> int:
        """Return what comes first: builtins and ``import a.b`` can have no other name."""
        given, made = self._binding(source, name)
        return 2 if made else 1 if given and not given[0].is_dotted else 0

    def _meaning(self, source: Source, name: str, above: tuple[Own, ...]) -> Meaning:
        """Return what is equal for names that may be one: the code, and that of all it needs."""
        own = (source, name)
        if own in above:
            return ("above", len(above) - above.index(own))
        if own in self._meanings:
            return self._meanings[own]
        given, made = self._binding(source, name)
        if given:
            last = given[-1]
            module = source.absolute(last.module) if last.module else ""
            meaning: Meaning = ("import", module, last.name) if module else last.meaning
        elif not made:
            return ("builtin", name)
        else:
            used = sorted({*_used(source, [one.node for one in made])} - {name})
            parts = [
                (other, self._meaning(*self._origin(source, other), (*above, own)))
                for other in used
            ]
            meaning = ("code", *(ast.dump(one.node) for one in made), *parts)
        if not above:  # seen from elsewhere, what is above is another
            self._meanings[own] = meaning
        return meaning

    def _code(self, needed: Sequence[Own]) -> str:
        """Return the statements that are needed, in their order, and equal ones once."""
        first: dict[str, Source] = {}
        texts = []
        for source in self._sources.values():
            names = [name for found, name in needed if found is source]
            made = {one for name in names for one in self._binding(source, name)[1]}
            for statement in sorted(made, key=lambda one: one.number):
                text = source.text(statement.node, self._renaming(source))
                if first.setdefault(self._checked(source, text), source) is source:
                    texts.append(text)
        return "\n\n\n".join(texts)

    def _checked(self, source: Source, text: str) -> str:
        """Return code; raises for what names a file that will be gone."""
        for module in self._replaced:
            if re.search(re.escape(module) + r"\b", text):
                raise _gone(source, f"names {module} in its code")
        return text


def _used(source: Source, nodes: Iterable[ast.AST]) -> Iterator[str]:
    """Yield the module's names that are read or bound in some of its code, each once."""
    yield from dict.fromkeys(
        found.name
        for found in source.references(nodes)
        if not found.unsure or any(source.binding(found.name))
    )


def _place(source: Source, name: str) -> tuple[int, str]:
    numbers = [one.number for one in source.statements if name in one.names]
    return (min(numbers, default=-1), name)


def _gone(source: Source, what: str) -> MigrationsError:
    return MigrationsError(
        f"{source.file.name} {what}, a file that the squash replaces. Move what it needs into it."
    )
