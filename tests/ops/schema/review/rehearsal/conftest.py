"""The stage of a shop, for a rehearsal of its second migration."""

from collections.abc import Callable, Iterator

import pytest

from django_runbook.schema.scratch.databases import Workshop
from django_runbook.schema.scratch.stages import Stage, Stages
from tests.ops.schema.conftest import MakeApp
from tests.ops.schema.review.rehearsal.rehearsing import FIRST, contents


@pytest.fixture
def stage(
    shop: Workshop, make_app: MakeApp, stages_on: Callable[[Workshop], Stages]
) -> Iterator[Stage]:
    """Yield the stage of a shop; see that its database stays as it was."""
    make_app("shop", m0001_initial=FIRST, m0002_second="[]")
    with stages_on(shop).before(("shop", "0002_second")) as made:
        yield made
        assert contents() == {"shop_kind": 0, "shop_thing": 0}
