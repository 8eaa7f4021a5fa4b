"""Imports as values: what they bind, where they lead, and how they are written."""

import ast
import keyword
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

#: The groups in which imports are written, as isort has them.
FUTURE, STANDARD, OTHERS, RELATIVE = range(4)


@dataclass(frozen=True, kw_only=True)
class Import:
    """``import name``, or ``from module import name``, each with ``as``."""

    name: str
    module: str = ""
    alias: str = ""

    @property
    def binds(self) -> str:
        """The name that it gives to the module."""
        return self.alias or (self.name if self.module else self.name.partition(".")[0])

    @property
    def is_dotted(self) -> bool:
        """Whether it binds the topmost package of several, as ``import a.b`` does."""
        return not self.module and not self.alias and "." in self.name

    @property
    def meaning(self) -> tuple[str, ...]:
        """What the bound name stands for: equal for imports that may share it."""
        if self.is_dotted:
            return ("import", "", self.binds)
        return ("import", self.module, self.name)

    def bound_to(self, name: str) -> "Import":
        """Return the same import under another name; ``import a.b`` has but one."""
        if name == self.binds or self.is_dotted:
            return self
        plain = name == self.name and (self.module or "." not in name)
        return Import(name=self.name, module=self.module, alias="" if plain else name)


def parsed(statement: ast.stmt) -> Iterator[Import]:
    """Yield what an import statement imports; nothing for other statements."""
    if isinstance(statement, ast.Import):
        for alias in statement.names:
            yield Import(name=alias.name, alias=alias.asname or "")
    elif isinstance(statement, ast.ImportFrom):
        module = "." * statement.level + (statement.module or "")
        for alias in statement.names:
            yield Import(name=alias.name, module=module, alias=alias.asname or "")


def from_line(line: str) -> Import:
    """Return what a line says, as Django's serializers give them."""
    (found,) = parsed(ast.parse(line).body[0])
    return found


def is_importable(module: str) -> bool:
    """Tell whether a module's name can stand in an import; that of ``0001_initial`` cannot."""
    return all(part.isidentifier() and not keyword.iskeyword(part) for part in module.split("."))


def rendered(imports: Iterable[Import]) -> str:
    """Return import statements in groups, each sorted, names of one module together."""
    plain: set[tuple[int, str]] = set()
    grouped: dict[tuple[int, str], set[str]] = {}
    for one in imports:
        name = f"{one.name} as {one.alias}" if one.alias and one.alias != one.name else one.name
        if one.module:
            grouped.setdefault((_group(one.module), one.module), set()).add(name)
        else:
            plain.add((_group(one.name), f"import {name}"))
    groups: list[list[str]] = [[], [], [], []]
    for group, line in sorted(plain):
        groups[group].append(line)
    for (group, module), names in sorted(grouped.items()):
        groups[group].append(f"from {module} import {', '.join(sorted(names))}")
    return "\n\n".join("\n".join(lines) for lines in groups if lines)


def _group(module: str) -> int:
    if module == "__future__":
        return FUTURE
    if module.startswith("."):
        return RELATIVE
    return STANDARD if module.partition(".")[0] in sys.stdlib_module_names else OTHERS
