"""How drift is told: what is there, what is missing, and the next step."""

from collections.abc import Iterator

from django_runbook.schema.fingerprints.differences import Difference
from django_runbook.schema.fingerprints.drift import Drift
from django_runbook.schema.wording import detail, flat
from django_runbook.text.cleaning import in_clean_lines

ENGINES = {"postgresql": "PostgreSQL", "sqlite": "SQLite"}
#: What a definition holds that is told here and cannot be written so in a statement.
NO_SQL = ("own sequence", "GENERATED", "generated", " INVALID")


@in_clean_lines
def drift_lines(found: Drift, *, strict: bool) -> Iterator[str]:
    """Yield the report; each difference is followed by its next step."""
    yield (
        f"{found.alias}: {ENGINES[found.vendor]} database {found.database} against what its "
        f"{found.applied} applied migrations build (scratch: {found.origin})."
    )
    yield from (f"Note: {note}" for note in found.notes)
    table = None
    for each in found.differences.logical:
        if each.table != table:
            table = each.table
            yield f"{table or '(no table)'}:"
        yield f"  {_what(each)}"
        yield f"    -> {next_step(each, found.vendor)}"
    for name in found.unmanaged:
        yield f"unmanaged table {name}: no migration makes it."
        yield f"    -> Accept it with --ignore {name}, make a model of it, or drop it."
    for name in found.declared:
        yield f"table {name}: its model is not managed by migrations. Nothing to do."
    for each in (*found.differences.names, *found.differences.order):
        yield f"{'drift' if strict else 'shown only'}: {_what(each)}"
        yield f"    -> {next_step(each, found.vendor)}"
    if found.ignored:
        yield f"{found.ignored} ignored by --ignore."


def verdict(found: Drift, *, strict: bool) -> str:
    """Return the last line."""
    differences = found.differences
    shown = len(differences.names) + len(differences.order)
    counted = len(differences.logical) + len(found.unmanaged) + (shown if strict else 0)
    if counted:
        return f"Drift: {counted} {'difference' if counted == 1 else 'differences'}."
    return "No drift" + (f", {shown} of name or order alone." if shown else ".")


def next_step(each: Difference, vendor: str) -> str:
    """Return what mends a difference: a statement where one does it, else where to begin."""
    if each.kind == "order":
        return "Nothing to do, unless code takes the columns by their place."
    if each.definition:
        return _rename(each, vendor)
    if each.left is not None and each.right is not None:
        return f"Make it {each.right} again, or write a migration that makes it {each.left}."
    if each.left is not None:
        keep = "Keep it: write a migration that makes it"
        if not each.table:
            return f"{keep}; or accept it: --ignore '{each.name}'."
        loses = " (its data is lost)" if each.kind == "column" else ""
        statement = _drop(each, vendor)
        return f"{keep}; or remove it{loses}: {statement}" if statement else f"{keep}."
    statement = _make(each, vendor)
    return statement or "Make it as its migration does: 'inv db.sql APP NAME' prints how."


def _what(each: Difference) -> str:
    if each.kind == "order":
        return f"table {each.table}: columns stand as {each.left}; migrations make {each.right}"
    if each.definition:
        return (
            f"{each.kind} {each.left or '(no name)'} is called {each.right or '(no name)'} by the "
            f"migrations{f' (table {each.table})' if each.table else ''}"
        )
    thing = f"{each.kind} {each.name}".rstrip() if each.kind != "table" else "table"
    if each.left is None:
        return f"missing {thing}{detail(each.right)}"
    if each.right is None:
        return f"extra {thing}{detail(each.left)}"
    return f"{thing} differs: it is {flat(each.left)}; migrations make {flat(each.right)}"


def _make(each: Difference, vendor: str) -> str:
    """Return the statement that makes what is missing; nothing where none is known to be right."""
    definition = each.right or ""
    if any(text in definition for text in NO_SQL):
        return ""
    table, name = _quoted(each.table), _quoted(each.name)
    if each.kind == "index":
        unique, _, rest = definition.rpartition("UNIQUE " if vendor == "postgresql" else "unique ")
        unique = "UNIQUE " if unique or definition != rest else ""
        on = f"ON {table} " if vendor == "postgresql" else ""
        return f"CREATE {unique}INDEX {name} {on}{rest};"
    if each.kind == "column":
        return f"ALTER TABLE {table} ADD COLUMN {name} {definition};"
    if each.kind == "constraint" and vendor == "postgresql":
        return f"ALTER TABLE {table} ADD CONSTRAINT {name} {definition};"
    return f"CREATE EXTENSION {name};" if each.kind == "extension" else ""


def _drop(each: Difference, vendor: str) -> str:
    table, name = _quoted(each.table), _quoted(each.name)
    if each.kind == "index":
        schema = table.rpartition(".")[0]
        return f"DROP INDEX {schema}{'.' if schema else ''}{name};"
    if each.kind == "column":
        return f"ALTER TABLE {table} DROP COLUMN {name};"
    if each.kind == "constraint" and vendor == "postgresql":
        return f"ALTER TABLE {table} DROP CONSTRAINT {name};"
    return f"DROP TRIGGER {name} ON {table};" if each.kind == "trigger" else ""


def _rename(each: Difference, vendor: str) -> str:
    if vendor != "postgresql" or not (each.left and each.right):
        return "Matters to a migration that names it: write one that makes it anew."
    left, right, table = (_quoted(name) for name in (each.left, each.right, each.table))
    if each.kind == "constraint":
        return f"ALTER TABLE {table} RENAME CONSTRAINT {left} TO {right};"
    return f"ALTER {each.kind.upper()} {left} RENAME TO {right};"


def _quoted(name: str) -> str:
    return ".".join('"' + part.replace('"', '""') + '"' for part in name.split(".")) if name else ""
