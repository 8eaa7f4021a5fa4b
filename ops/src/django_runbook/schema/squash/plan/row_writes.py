"""Says which models' rows a data migration may change, by reading its code."""

import ast
import re
import sys
from collections.abc import Iterator

from django.db import migrations
from django.db.migrations.operations.base import Operation
from django.db.migrations.state import ProjectState

from django_runbook.schema.squash.source.module import Source

ModelKey = tuple[str, str]
#: All models: what is meant by code that cannot be followed.
ALL = None
WRITES = {
    *("save", "create", "bulk_create", "update", "bulk_update", "get_or_create"),
    *("update_or_create", "delete", "add", "set", "remove", "clear"),
}
#: Code that may change any row.
OPAQUE = {"cursor", "raw", "execute", "extra", "call_command"}
#: What does not write rows behind the code's back.
HARMLESS = re.compile(r"django\.(db|utils|conf|core)(\.|$)(?!management)")
DML = re.compile(
    r"\b(insert|update|delete|truncate|copy|merge|do|select|call|with)\b", re.IGNORECASE
)

#: Code that PostgreSQL is given in dollar quotes, and the statements that make some.
BODY = re.compile(r"\$(\w*)\$.*?\$\1\$", re.DOTALL)
CODE = re.compile(r"\s*create\s+(or\s+replace\s+)?(constraint\s+)?(function|procedure|trigger)\b")


def touched(
    operation: Operation, source: Source, state: ProjectState
) -> frozenset[ModelKey] | None:
    """Return the models whose rows an operation may change, or None: any.

    Of an operation that is neither ``RunPython`` nor ``RunSQL``, none: it changes the schema.
    """
    if isinstance(operation, migrations.SeparateDatabaseAndState):
        found = [touched(one, source, state) for one in operation.database_operations]
        parts = [one for one in found if one is not ALL]
        return frozenset().union(*parts) if len(parts) == len(found) else ALL
    if isinstance(operation, migrations.RunSQL):
        return _by_sql(sql_text(operation), state)
    if isinstance(operation, migrations.RunPython):
        return _by_code(operation, source, state)
    return frozenset()


def sql_text(operation: migrations.RunSQL) -> str:
    """Return what an operation runs, as one lower-case text without its parameters."""
    given = operation.sql if isinstance(operation.sql, list | tuple) else [operation.sql]
    parts = [one[0] if isinstance(one, list | tuple) else one for one in given]
    return re.sub(r"--[^\n]*", "", "\n".join(map(str, parts))).lower()


def table(state: ProjectState, key: ModelKey) -> str:
    """Return the name of a model's table."""
    given = state.models[key].options.get("db_table") if key in state.models else ""
    return str(given or "_".join(key)).strip('"').lower()


def _by_sql(text: str, state: ProjectState) -> frozenset[ModelKey] | None:
    """Return the models whose tables a text names, if it may change rows at all.

    A function or a trigger that is made does not run: what is in it changes nothing yet.
    """
    text = ";".join(one for one in BODY.sub("$$", text).split(";") if not CODE.match(one))
    if re.search(r"\b(do|call|select|with)\b", text):
        return ALL  # functions, and blocks of code
    if not DML.search(text):
        return frozenset()
    words = set(re.findall(r"\w+", text))
    return frozenset(key for key in state.models if table(state, key) in words)


def _by_code(
    operation: migrations.RunPython, source: Source, state: ProjectState
) -> frozenset[ModelKey] | None:
    code = operation.code
    name = getattr(code, "__qualname__", "").removeprefix("Migration.")
    if name == "RunPython.noop":
        return frozenset()
    if getattr(code, "__module__", "") != source.module or not source.has(name, code):
        return ALL
    nodes = _reached(source, name)
    calls = [node for part in nodes or () for node in ast.walk(part) if isinstance(node, ast.Call)]
    attributes = {_called(call) for call in calls}
    if nodes is None or attributes & OPAQUE:
        return ALL
    if not attributes & WRITES:
        return frozenset()
    models = [_model(call) for call in calls if _called(call) == "get_model"]
    if not models or None in models:
        return ALL
    keys = frozenset(key for key in models if key)
    return _with_cascades(keys, state) if "delete" in attributes else keys


def _reached(source: Source, name: str) -> list[ast.stmt] | None:
    """Return the statements that a name's code uses; None where some stand in other code."""
    todo, seen, nodes = [name], set(), []
    while todo:
        one = todo.pop()
        if one in seen:
            continue
        seen.add(one)
        given, made = source.binding(one)
        if any(not _is_harmless(source, found.module or found.name) for found in given):
            return None
        nodes += [statement.node for statement in made]
        todo += [found.name for found in source.references(one.node for one in made)]
    return [*nodes]


def _is_harmless(source: Source, module: str) -> bool:
    module = source.absolute(module)
    standard = module.partition(".")[0] in sys.stdlib_module_names
    return standard or bool(HARMLESS.match(module))


def _called(call: ast.Call) -> str:
    match call.func:
        case ast.Attribute(attr=name) | ast.Name(id=name):
            return name
        case _:
            return ""


def _model(call: ast.Call) -> ModelKey | None:
    """Return the model that ``apps.get_model`` asks for; None where that is computed."""
    values = [*call.args, *(keyword.value for keyword in call.keywords)]
    words = [one.value for one in values if isinstance(one, ast.Constant)]
    if len(words) != len(values) or not words:
        return None
    app, _, model = ".".join(map(str, words[:2])).partition(".")
    return app, model.lower()


def _with_cascades(keys: frozenset[ModelKey], state: ProjectState) -> frozenset[ModelKey]:
    """Return models with those whose rows may go when theirs do."""
    found = set(keys)
    while True:
        more = {source for source, target in relations(state) if target in found} - found
        if not more:
            return frozenset(found)
        found |= more


def relations(state: ProjectState) -> Iterator[tuple[ModelKey, ModelKey]]:
    """Yield each foreign key of a state, as the model that has it and the one that it means."""
    for key, model in state.models.items():
        for field in model.fields.values():
            if field.remote_field and not field.many_to_many:
                yield key, target(field, key)


def target(field: object, own: ModelKey) -> ModelKey:
    """Return the model that a relation of a state means: ``app.model``, or one of its own app."""
    model = field.remote_field.model  # type: ignore[attr-defined]  # a relation has one
    label = model if isinstance(model, str) else model._meta.label
    if label == "self":
        return own
    app, dot, name = label.rpartition(".")
    return (app, name.lower()) if dot else (own[0], name.lower())
