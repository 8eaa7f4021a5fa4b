"""The next rows of a run: behind the last ones, in an order that loses no row and repeats none."""

from collections.abc import Iterator, Sequence
from typing import Any

from django.core.exceptions import FieldDoesNotExist
from django.db import connections, models
from django.db.models import QuerySet
from django.db.models.constants import LOOKUP_SEP

from django_runbook.jobs.database.fields import WHOLE
from django_runbook.jobs.registry import field_of

#: Beside the primary key, which is the last of every order.
BY_KEY = ("pk",)
#: Keys that are asked for together; SQLite takes 32,766 parameters.
AT_ONCE = 1_000


def path(model: type[models.Model], name: str) -> list[Any]:
    """Return the fields that a name such as ``user__date_joined`` goes through.

    Raises ``FieldDoesNotExist`` for a wrong name, and ``ValueError`` for one that leads to many.
    """
    fields: list[Any] = []
    for part in name.split(LOOKUP_SEP):
        if fields and not fields[-1].is_relation:
            raise FieldDoesNotExist(f"{fields[-1].name} is no relation, and has no '{part}'")
        if model is None:  # a generic relation knows its model by the row alone
            raise ValueError(f"{fields[-1].name} leads to rows of many tables")
        found = field_of(model, part)
        if found.many_to_many or found.one_to_many:
            raise ValueError(f"{part} leads to many rows")
        fields.append(found)
        model = found.related_model
    return fields


def parts(due: QuerySet[Any], since: str | None) -> Iterator[tuple[QuerySet[Any], tuple[str, ...]]]:
    """Yield the rows that are due, each once, with the order to go through them.

    Those without a time come last, by themselves: engines do not agree on the place of NULL.
    """
    if since is None:
        yield due, BY_KEY
        return
    order = (since, *BY_KEY)
    # A row on the other side that is not there has no time either.
    if not any(field.null or not field.concrete for field in path(due.model, since)):
        yield due, order
        return
    yield due.filter(**{f"{since}__isnull": False}), order
    yield due.filter(**{f"{since}__isnull": True}), BY_KEY


def pick(
    due: QuerySet[Any],
    *,
    order: tuple[str, ...],
    after: Any,
    size: int,
    skip_locked: bool,
    alone: bool = False,
) -> QuerySet[Any, Any]:
    """Return the next ``size`` keys behind ``after``, to be locked by whoever reads them.

    Where the run is ``alone`` PostgreSQL does not lock them first: the statement that changes them
    asks again of each whether it is due.

    Rows that are found through others are to be locked by ``locked`` after that: the others are
    nobody's to lock, and an outer join has none.
    """
    if after is not None:
        one_bound = connections[due.db].vendor == "postgresql"
        due = due.filter(_row_behind(order, after) if one_bound else _behind(order, after))
    features = connections[due.db].features
    if features.has_select_for_update:
        due = due.select_for_update(
            skip_locked=skip_locked and features.has_select_for_update_skip_locked,
            no_key=features.has_select_for_no_key_update,
        )
    keys = due.order_by(*order).values_list(*order)[:size]
    if is_joined(keys) or (alone and connections[keys.db].vendor == "postgresql"):
        keys.query.select_for_update = False
    return keys


def is_unlocked(keys: QuerySet[Any, Any]) -> bool:
    """Tell whether the rows of a pick are locked by what changes them, and not before."""
    connection = connections[keys.db]
    locks = keys.query.select_for_update or is_joined(keys)
    return connection.vendor == "postgresql" and not locks


def is_joined(keys: QuerySet[Any, Any]) -> bool:
    """Tell whether rows are found through those of other tables, or are not rows of a table."""
    query: Any = keys.query
    tables = [name for name, count in query.alias_refcount.items() if count]
    through = any(LOOKUP_SEP in name for name in query.order_by)
    return len(tables) > 1 or through or query.distinct


def is_repeated(keys: QuerySet[Any, Any]) -> bool:
    """Tell whether a row may be found more than once, or is not a row of the table itself."""
    query: Any = keys.query
    joins = (
        getattr(query.alias_map[name], "join_field", None)
        for name, count in query.alias_refcount.items()
        if count
    )
    many = any(join and (join.one_to_many or join.many_to_many) for join in joins)
    return many or bool(query.distinct or query.group_by or query.combinator)


def locked(keys: QuerySet[Any, Any], ids: list[Any]) -> list[Any]:
    """Lock rows of ``keys`` that reading them has not, and return those that still are due."""
    query: Any = keys.query
    features = connections[keys.db].features
    if query.select_for_update or not features.has_select_for_update:
        return ids
    rows = keys.model._base_manager.using(keys.db).select_for_update(
        skip_locked=query.select_for_update_skip_locked, no_key=query.select_for_no_key_update
    )
    mine = list(among(rows, ids).order_by("pk").values_list("pk", flat=True))
    again = keys.all()
    again.query.clear_limits()
    still = {key[-1] for key in among(again, mine)}
    return [key for key in ids if key in still]


def place(keys: QuerySet[Any, Any], pk: Any) -> tuple[Any, ...]:
    """Return where a picked row stands in their order: of thousands, one row's time is read."""
    names = keys.query.values_select
    if len(names) == 1:
        return (pk,)
    rows = keys.model._base_manager.using(keys.db).filter(pk=pk).values_list(*names)
    found: tuple[Any, ...] | None = rows.first()
    return found or next(key for key in keys if key[-1] == pk)


def among(rows: QuerySet[Any, Any], ids: Sequence[Any]) -> QuerySet[Any, Any]:
    """Return those of these rows that have one of these keys.

    PostgreSQL takes thousands of whole numbers as one array, which costs both sides a part of what
    as many parameters cost.
    """
    connection = connections[rows.db]
    whole = rows.model._meta.pk.rel_db_type(connection) in WHOLE
    if not (ids and whole and connection.vendor == "postgresql"):
        return rows.filter(pk__in=ids)
    return rows.filter(_Among("pk", models.Value(list(ids))))


class _Among(models.Func):
    """Whether a key is in an array."""

    template = "%(expressions)s::bigint[])"
    arg_joiner = " = ANY ("
    output_field = models.BooleanField()


def pieces(keys: Sequence[Any]) -> Iterator[Sequence[Any]]:
    """Yield keys, as many as one query is asked for."""
    return (keys[start : start + AT_ONCE] for start in range(0, len(keys), AT_ONCE))


def _row_behind(order: tuple[str, ...], after: tuple[Any, ...]) -> models.Q:
    """Return the same in one comparison: an index is read from there, however many share a time.

    Else each batch reads anew what others with its time have left, while an old snapshot, such as
    a dump's, keeps that from being cleaned up.
    """
    keys, last = (models.Func(*row, function="ROW") for row in (order, map(models.Value, after)))
    behind = models.Func(
        keys,
        last,
        template="(%(expressions)s)",
        arg_joiner=" > ",
        output_field=models.BooleanField(),
    )
    return models.Q(behind)


def _behind(order: tuple[str, ...], after: tuple[Any, ...]) -> models.Q:
    """Return the rows whose key is larger; the first comparison is one that an index can use."""
    if len(order) == 1:
        return models.Q(**{f"{order[0]}__gt": after[0]})
    first, rest = order[0], _behind(order[1:], after[1:])
    return models.Q(**{f"{first}__gte": after[0]}) & (models.Q(**{f"{first}__gt": after[0]}) | rest)
