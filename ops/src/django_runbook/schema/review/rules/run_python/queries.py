"""Finds in a function's syntax tree the querysets that it walks, and what it does with each row."""

import ast
from collections.abc import Iterator

from django_runbook.schema.review.rules.run_python.sources import Code

MANAGERS = ("objects", "_default_manager", "_base_manager")
#: What narrows a queryset to the rows that are asked for.
NARROWS = {"filter", "exclude", "get", "none", "in_bulk"}
#: What ends a queryset with an answer of its own, or reads it in chunks.
ANSWERS = {
    "aggregate", "bulk_create", "bulk_update", "contains", "count", "create", "delete", "earliest",
    "exists", "first", "get", "get_or_create", "iterator", "last", "latest", "update",
    "update_or_create",
}  # fmt: skip
WRITES = {"save", "delete", "create", "get_or_create", "update_or_create", "update"}
EATERS = {"list", "set", "tuple", "sorted", "dict", "enumerate", "zip", "map", "filter", "reversed"}
LOOPS = ast.For | ast.AsyncFor


def loaded(code: Code) -> Iterator[str]:
    """Yield the querysets whose rows are all held in memory at once."""
    for node, iterated in _iterations(code.tree):
        query = _query(iterated, code)
        if query is not None and not _calls(query) & (ANSWERS | {"[]"}) and not _few(query):
            yield ast.unparse(node if isinstance(node, ast.Call) else iterated)


def saved(code: Code) -> Iterator[str]:
    """Yield the writes to single rows inside a loop over a queryset."""
    for node in ast.walk(code.tree):
        if not isinstance(node, LOOPS) or _query(_eaten(node.iter), code) is None:
            continue
        for inner in ast.walk(node):
            if inner is node.iter or not isinstance(inner, ast.Call):
                continue
            if isinstance(inner.func, ast.Attribute) and inner.func.attr in WRITES:
                yield ast.unparse(inner.func) + "()"


def changed_whole(code: Code) -> Iterator[str]:
    """Yield the updates and deletes of a queryset that nothing narrows."""
    for node in ast.walk(code.tree):
        if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Attribute):
            continue
        query = _query(node, code) if node.func.attr in {"update", "delete"} else None
        if query is not None and not _calls(query) & NARROWS:
            yield ast.unparse(node.func) + "()"


def writes(code: Code) -> bool:
    """Whether the code asks a manager of a model at all."""
    return any(
        isinstance(node, ast.Attribute) and node.attr in MANAGERS for node in ast.walk(code.tree)
    )


def names_alias(code: Code) -> bool:
    """Whether the code says which database it means."""
    return any(
        isinstance(node, ast.Attribute) and node.attr in {"using", "db_manager", "alias"}
        for node in ast.walk(code.tree)
    ) or any(isinstance(node, ast.keyword) and node.arg == "using" for node in ast.walk(code.tree))


def _iterations(tree: ast.AST) -> Iterator[tuple[ast.AST, ast.expr]]:
    for node in ast.walk(tree):
        if isinstance(node, LOOPS | ast.comprehension):
            yield node, _eaten(node.iter)
        elif isinstance(node, ast.Call) and _is_eater(node.func):
            yield from ((node, each) for each in node.args)


def _eaten(node: ast.expr) -> ast.expr:
    """Return what is iterated inside ``enumerate(…)`` and the like."""
    if isinstance(node, ast.Call) and _is_eater(node.func) and node.args:
        return _eaten(node.args[0])
    return node


def _is_eater(node: ast.expr) -> bool:
    return isinstance(node, ast.Name) and node.id in EATERS


def _query(node: ast.expr, code: Code) -> list[ast.AST] | None:
    """Return the links of a chain that begins at a manager, through local names; or None."""
    links: list[ast.AST] = []
    seen: set[str] = set()
    while True:
        links.append(node)
        if isinstance(node, ast.Attribute):
            if node.attr in MANAGERS:
                return links
            node = node.value
        elif isinstance(node, ast.Call):
            node = node.func
        elif isinstance(node, ast.Subscript):
            node = node.value
        elif isinstance(node, ast.Name) and node.id not in seen:
            seen.add(node.id)
            given = _assigned(node.id, code)
            if given is None:
                return None
            node = given
        else:
            return None


def _assigned(name: str, code: Code) -> ast.expr | None:
    """Return what a local name was given first; what it is given later builds on it mostly."""
    for node in ast.walk(code.tree):
        if isinstance(node, ast.Assign) and any(
            isinstance(target, ast.Name) and target.id == name for target in node.targets
        ):
            return node.value
        if isinstance(node, ast.NamedExpr) and node.target.id == name:
            return node.value
    return None


def _few(links: list[ast.AST]) -> bool:
    """Whether a queryset is narrowed to values that the code lists, or to one by its key."""
    return any(
        (keyword.arg or "") in {"pk", "id"}
        or (
            (keyword.arg or "").endswith("__in")
            and isinstance(keyword.value, ast.List | ast.Tuple | ast.Set)
        )
        for link in links
        if isinstance(link, ast.Call)
        for keyword in link.keywords
    )


def _calls(links: list[ast.AST]) -> set[str]:
    names = {link.attr for link in links if isinstance(link, ast.Attribute)}
    return names | ({"[]"} if any(isinstance(link, ast.Subscript) for link in links) else set())
