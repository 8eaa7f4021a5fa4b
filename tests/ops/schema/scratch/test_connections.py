"""What listens to new connections meets the scratch database, never the project's own."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from django.contrib.postgres.signals import (
    get_citext_oids,
    get_hstore_oids,
    register_type_handlers,
)
from django.db import connections
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.backends.signals import connection_created

from django_runbook.schema.errors import NoServerError
from django_runbook.schema.scratch.databases import Workshop, in_place, workshop
from django_runbook.schema.scratch.servers import VARIABLE


@contextmanager
def listening(receiver: Callable[..., None]) -> Iterator[None]:
    """Have every new connection told to a function, as ``django.contrib.postgres`` has."""
    connection_created.connect(receiver, weak=False)
    try:
        yield
    finally:
        connection_created.disconnect(receiver)


def hstore_of(database: BaseDatabaseWrapper) -> Any:
    """Return a mapping as the database gives it: text where its type is not known."""
    with database.cursor() as cursor:
        cursor.execute("SELECT 'a=>b'::hstore")
        return cursor.fetchone()[0]


def test_connection_is_found_by_its_alias(shop: Workshop) -> None:
    """Also where no scratch database is in place; afterwards the alias is the project's again."""
    own, seen = connections["default"], []

    def look(connection: BaseDatabaseWrapper, **_more: Any) -> None:
        seen.append(connections[connection.alias] is connection)

    with listening(look):
        shop.create().ensure_connection()
    assert seen == [True]
    assert connections["default"] is own


@pytest.mark.slow
@pytest.mark.parametrize("placed", [False, True])
def test_each_database_has_types_of_its_own(postgresql: Workshop, placed: bool) -> None:
    """An extension's types have other numbers in each: none is taken for that of another."""
    with listening(register_type_handlers):
        one, other = postgresql.create(), postgresql.create()
        for database in (one, other):
            with database.cursor() as cursor:
                cursor.execute("CREATE EXTENSION hstore")
            database.close()
        for database in (one, other, one):
            if placed:
                with in_place(database, "default"):
                    assert hstore_of(database) == {"a": "b"}
            else:
                assert hstore_of(database) == {"a": "b"}
            database.close()
    for cache in (get_hstore_oids, get_citext_oids):
        assert cache.cache_info().currsize == 0


def test_server_that_does_not_answer_is_told(
    scratch_server: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nobody listens at the port: one line that says what mends it, and no password."""
    monkeypatch.setenv(VARIABLE, "postgresql://me:not-to-be-seen@127.0.0.1:1/any")
    with pytest.raises(NoServerError) as refused, workshop("postgresql", "default"):
        pass
    said = str(refused.value)
    assert said.startswith("There is no connection to the server of RUNBOOK_SCRATCH_DATABASE_URL (")
    assert said.endswith(
        "): start it, or set RUNBOOK_SCRATCH_DATABASE_URL to a server where databases may be made."
    )
    assert "not-to-be-seen" not in said
    assert "\n" not in said
