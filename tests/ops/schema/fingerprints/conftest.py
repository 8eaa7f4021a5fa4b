"""Live databases to which all but the last migration of an app is applied."""

from collections.abc import Iterator

import pytest
from django.db.backends.base.base import BaseDatabaseWrapper

from django_runbook.schema.scratch.databases import Workshop, in_place
from tests.ops.schema.conftest import MakeApp
from tests.ops.schema.fingerprints.drifting import LATER, MORE, THING, migrate


@pytest.fixture
def live(shop: Workshop, make_app: MakeApp) -> Iterator[BaseDatabaseWrapper]:
    """Yield a database of each engine to which all but the last migration of an app is applied."""
    make_app("wares", m0001_initial=THING, m0002_more=MORE, m0003_later=LATER)
    with in_place(shop.create(), "default") as made:
        migrate("wares", "0002_more")
        yield made


@pytest.fixture
def postgresql_live(postgresql: Workshop, make_app: MakeApp) -> Iterator[BaseDatabaseWrapper]:
    """Yield such a database of PostgreSQL."""
    make_app("wares", m0001_initial=THING, m0002_more=MORE, m0003_later=LATER)
    with in_place(postgresql.create(), "default") as made:
        migrate("wares", "0002_more")
        yield made
