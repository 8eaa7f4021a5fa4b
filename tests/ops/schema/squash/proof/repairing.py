"""Proves squashes by one who knows no rule, so that the proof has to find what is wrong."""

from collections.abc import Collection
from typing import Any

import pytest
from django.db.migrations.loader import MigrationLoader

from django_runbook.schema.squash import cuts
from django_runbook.schema.squash.cuts import proved_plan
from django_runbook.schema.squash.plan import segments
from django_runbook.schema.squash.squash_plan import Segment, SquashPlan
from django_runbook.schema.squash.write.replacement import segment
from tests.ops.schema.conftest import MakeApp

LAST = ["0005_more"]


def plain_plan(
    loader: MigrationLoader,
    app_label: str,
    first: str | None = None,
    last: str | None = None,
    *,
    elide: Collection[str] = (),
    cuts: Collection[str] = (),
) -> SquashPlan:
    """Squash everything between two cuts, as one who knows no rule would."""
    chain = MigrationLoader(None).graph.forwards_plan((app_label, LAST[0]))
    names = [name for app, name in chain if app == app_label]
    names = names[names.index(first or names[0]) : names.index(last or names[-1]) + 1]
    parts: list[list[str]] = []
    for name in names:
        if not parts or name in cuts:
            parts.append([])
        parts[-1].append(name)
    disk = loader.disk_migrations or {}
    made: list[Segment] = []
    for part in parts:
        if len(part) > 1:
            renamed = {old: one.name for one in made for old in one.names}
            own = [disk[app_label, name] for name in part]
            made.append(segment(loader, app_label, own, elide=elide, renamed=renamed))
    kept = tuple(part[0] for part in parts if len(part) == 1)
    return SquashPlan(app_label=app_label, segments=tuple(made), kept=kept)


@pytest.fixture(name="repaired")
def repaired_fixture(
    scratch_server: None, make_app: MakeApp, monkeypatch: pytest.MonkeyPatch
) -> Any:
    """Return what proves a squash by one who knows no rule, on one engine."""
    monkeypatch.setattr(segments, "plan", plain_plan)

    def run(
        vendor: str = "sqlite", first: str | None = None, cuts: Collection[str] = ()
    ) -> cuts.Repaired:
        loader = MigrationLoader(None)
        LAST[0] = max(name for app, name in loader.disk_migrations if app == "shop")
        return proved_plan(
            loader, "shop", first, alias="default", vendors=[vendor], cuts=cuts, repeats=0
        )

    return run


def names(found: cuts.Repaired) -> list[str]:
    """Return the files that there will be, in the order of their names."""
    return sorted([*(each.name for each in found.plan.segments), *found.plan.kept])
