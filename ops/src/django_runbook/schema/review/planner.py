"""Makes a plan: each pending migration tried where exactly its parents are applied."""

import io
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack, redirect_stdout
from traceback import walk_tb

from django.core.exceptions import ImproperlyConfigured
from django.db import DEFAULT_DB_ALIAS, connections

from django_runbook.schema.errors import MigrationsError, NoServerError
from django_runbook.schema.history.failures import in_words
from django_runbook.schema.history.graph import Key, file_of, shown
from django_runbook.schema.history.pending import Pending, chosen, pending
from django_runbook.schema.review.plan import MigrationPlan, Plan
from django_runbook.schema.review.report.phrases import ENGINES
from django_runbook.schema.review.reviewer import Look, Shares, reviewed
from django_runbook.schema.scratch.databases import Workshop, workshop
from django_runbook.schema.scratch.stages import Stage, Stages, apply
from django_runbook.schema.wording import counted

#: Whose local variable is the migration that is being applied.
APPLYING = apply.__code__
NO_PROOF = (
    "What follows is SQLite's, and no proof for PostgreSQL: its SQL, its locks, what it rewrites "
    "and what it refuses are not seen."
)


def plan(
    alias: str = DEFAULT_DB_ALIAS,
    *,
    app: str = "",
    keys: Sequence[Key] | None = None,
    engine: str = "",
    look: Look | None = None,
    clock: Callable[[], float] = time.perf_counter,
) -> Plan:
    """Return the plan of the migrations that the target lacks, or of those that ``keys`` names.

    The target is only read. ``engine`` is ``postgresql`` or ``sqlite``; without it the plan is made
    on PostgreSQL where that can be had, for production runs there, and on SQLite where not, which a
    note says. ``look`` says how closely to look; ``clock`` counts seconds. Raises
    ``MigrationsError`` where the migrations cannot be used, and ``NoServerError`` where the engine
    that is asked for cannot be had.
    """
    shares = Shares(clock)
    with shares.of("reading"):
        wanted = pending(alias, app) if keys is None else chosen(keys, app)
    if not wanted.keys:
        return Plan(
            vendor=connections[alias].vendor,
            version="",
            origin="",
            migrations=(),
            notes=wanted.notes,
        )
    with ExitStack() as stack:
        stack.enter_context(redirect_stdout(io.StringIO()))  # of the migrations' own code
        with shares.of("server"):
            made, notes = _workshop(stack, alias, engine)
        migrations, missed = _migrations(wanted, made, alias, look or Look(), shares)
        with shares.of("server"):
            stack.close()
    return Plan(
        vendor=made.vendor,
        version=made.version,
        origin=made.origin,
        migrations=tuple(migrations),
        notes=(*wanted.notes, *notes, *missed),
        seconds=shares.seconds,
    )


def _workshop(stack: ExitStack, alias: str, engine: str) -> tuple[Workshop, list[str]]:
    """Return where scratch databases are made, and what the reader must know about that."""
    notes = []
    try:
        made = stack.enter_context(workshop(engine or "postgresql", alias))
    except (NoServerError, ImproperlyConfigured) as error:  # the latter: no driver
        if engine:
            raise
        made = stack.enter_context(workshop("sqlite", alias))
        notes.append(f"{error} {NO_PROOF}")
    target = connections[alias]
    if target.vendor == made.vendor:
        return made, notes
    if target.vendor == "sqlite":
        notes.append("The target is SQLite, whose own SQL '--engine sqlite' shows.")
    elif target.vendor == "postgresql":
        notes += [] if notes else [f"The target is PostgreSQL. {NO_PROOF}"]
    else:
        notes.append(
            f"The target is {target.display_name}, of which no scratch databases are made: SQL, "
            f"locks and rewrites are {ENGINES[made.vendor]}'s. 'inv db.sql' shows "
            f"{target.display_name}'s SQL, as the target's present state gives it."
        )
    return made, notes


def _migrations(
    wanted: Pending, made: Workshop, alias: str, look: Look, shares: Shares
) -> tuple[list[MigrationPlan], list[str]]:
    """Return the plans, and notes; what comes after a migration that fails is not looked at."""
    stages = Stages(made, wanted.graph, alias, wanted.unmigrated)
    plans: list[MigrationPlan] = []
    notes: list[str] = []
    failed: dict[Key, list[Key]] = {}
    fresh: set[str] = set()
    for key in wanted.keys:
        before = set(wanted.graph.forwards_plan(key))
        if after := next((other for other in failed if other in before), None):
            failed[after].append(key)
            continue
        with ExitStack() as stack:
            with shares.of("parents"):
                stage = _staged(stages, key, stack, made)
            one = reviewed(stage, look, shares, fresh)
        plans.append(one.plan)
        notes += one.notes
        if one.failed:
            failed[key] = []
    notes += [
        f"{counted(len(keys), 'migration')} after {'.'.join(key)}, which fails, cannot be looked "
        f"at: {', '.join('.'.join(other) for other in keys)}."
        for key, keys in failed.items()
        if keys
    ]
    return plans, list(dict.fromkeys(notes))


def _staged(stages: Stages, key: Key, stack: ExitStack, made: Workshop) -> Stage:
    """Return the stage of a migration; a parent that fails is named, with its file."""
    try:
        return stack.enter_context(stages.before(key))
    except (Exception, SystemExit) as error:
        frames = [frame for frame, _line in walk_tb(error.__traceback__)]
        parent = next((it.f_locals["migration"] for it in frames if it.f_code is APPLYING), None)
        if parent is None:
            raise
        raise MigrationsError(
            f"{parent.app_label}.{parent.name} fails on a new {ENGINES[made.vendor]} database, so "
            f"that what comes after it cannot be looked at: {in_words(error)}. "
            f"Mend {shown(file_of(parent))}."
        ) from error
