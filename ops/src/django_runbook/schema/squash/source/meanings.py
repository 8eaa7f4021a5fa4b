"""Whose a name is: that of a piece of code, of one around it, or the module's."""

from dataclasses import dataclass, field
from typing import Literal

#: An annotation is of a generic function or class, the bound of a type, or the value of a ``type``.
Kind = Literal["module", "class", "function", "comprehension", "annotation"]
Meaning = Literal["own", "module", "either"]


@dataclass(eq=False, kw_only=True)
class Scope:
    """A piece of code that has names of its own; ``around`` it others, the innermost first.

    ``private``: the class that its private names are of.
    """

    kind: Kind
    around: "tuple[Scope, ...]" = ()
    private: str = ""
    own: set[str] = field(default_factory=set)
    globals: set[str] = field(default_factory=set)
    nonlocals: set[str] = field(default_factory=set)
    changed: set[str] = field(default_factory=set)

    def meaning(self, name: str) -> Meaning:
        """Tell whose a name is here; ``either`` where a class binds it at some time."""
        seen = self.but("annotation")
        classes = [seen] if seen.kind == "class" else []  # it comes before type parameters
        for scope in (self, *classes, *(one for one in self.around if one.kind != "class")):
            if scope.kind == "module" or name in scope.globals:
                break
            if name in scope.own and name not in scope.nonlocals:
                return "either" if scope.kind == "class" else "own"
        cell = name == "__class__" and any(one.kind == "class" for one in self.around)
        return "own" if cell else "module"

    def but(self, kind: Kind) -> "Scope":
        """Return the innermost scope here that is of another kind."""
        return next(one for one in (self, *self.around) if one.kind != kind)


def mangled(name: str, private: str) -> str:
    """Return a name as a class of the name ``private`` has it."""
    owner = private.lstrip("_")
    is_private = name.startswith("__") and not name.endswith("__")
    return f"_{owner}{name}" if owner and is_private else name
