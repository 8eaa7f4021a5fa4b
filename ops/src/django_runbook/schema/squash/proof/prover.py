"""Proves that squashed migrations give what the old ones gave, or says what they do not."""

import platform
from collections.abc import Collection, Mapping
from contextlib import ExitStack
from inspect import getfile
from itertools import islice
from pathlib import Path as File

import django
from django.db.migrations.migration import Migration

from django_runbook.schema.errors import NoServerError
from django_runbook.schema.history.graph import Key
from django_runbook.schema.scratch.databases import Workshop, workshop
from django_runbook.schema.squash.proof.engine import EngineTrial, OldPathError
from django_runbook.schema.squash.proof.from_zero import from_zero
from django_runbook.schema.squash.proof.midway import jumps
from django_runbook.schema.squash.proof.migration_paths import OldLoader, Path
from django_runbook.schema.squash.proof.results import (
    NEEDED,
    Check,
    Defect,
    EngineProof,
    Progress,
    Proof,
    SquashedFile,
    digest_of,
)
from django_runbook.schema.squash.proof.stateless import round_trips, states, unloadable
from django_runbook.schema.squash.proof.upgrades import Upgrades, upgrades
from django_runbook.schema.squash.squash_plan import Segment, SquashPlan

VENDORS = ("sqlite", "postgresql")
#: How often both ways are run from zero; the medians are told.
REPEATS = 3


def silent(vendor: str, what: str, done: int, total: int) -> None:
    """Tell nobody how far it is."""


def prove(
    plan: SquashPlan,
    *,
    alias: str,
    vendors: Collection[str] = VENDORS,
    progress: Progress = silent,
    repeats: int = REPEATS,
) -> Proof:
    """Try a plan out on scratch databases, and return what it showed.

    Nothing is written into the tree, which need not hold the squashed files yet. Without PostgreSQL
    the proof is not ``complete``, and its notes say why. ``repeats`` at 0 leaves out what is run
    from zero: then every segment is tried by itself alone.
    """
    with Shops(alias) as shops:
        return Prover(plan, alias, vendors, progress, shops).prove(repeats)


class Shops(ExitStack):
    """The workshops of every engine that was asked for, each opened once, all closed together."""

    def __init__(self, alias: str) -> None:
        super().__init__()
        self._alias = alias
        self._open: dict[str, Workshop] = {}

    def of(self, vendor: str) -> Workshop:
        """Return an engine's workshop. Raises ``NoServerError`` where there is none."""
        if vendor not in self._open:
            self._open[vendor] = self.enter_context(workshop(vendor, self._alias))
        return self._open[vendor]


class Prover:
    """Proves one plan. What its segments show by themselves is tried once, however often asked."""

    def __init__(
        self,
        plan: SquashPlan,
        alias: str,
        vendors: Collection[str],
        progress: Progress,
        shops: Shops,
    ) -> None:
        self._shops = shops
        self._plan = plan
        self._alias = alias
        self._vendors = vendors
        self._progress = progress
        self._notes: dict[str, None] = {}
        self._trials: dict[str, EngineTrial] = {}
        self._given_up: set[str] = set()
        self._upgrades: Upgrades | None = None
        self._defects: tuple[Defect, ...] = ()
        if not plan.segments:
            self._notes["There is nothing to squash."] = None
            return
        if NEEDED not in vendors:
            self._notes["PostgreSQL was not asked: this is no proof."] = None
        self._defects = (*round_trips(plan), *islice(unloadable(plan), 1))
        if all(defect.check is not Check.UPGRADE for defect in self._defects):
            old, new = (Path(plan, alias, squashed=way).loader() for way in (False, True))
            self._upgrades = upgrades(plan, alias)
            end = self._upgrades.chain[-1]
            self._defects += (*states(plan, end, old, new), *self._upgrades.defects)

    def prove(self, repeats: int) -> Proof:
        """Return the proof; with ``repeats``, what is run from zero is part of it."""
        plan, way = self._plan, self._upgrades
        engines = (
            [engine for vendor in self._vendors for engine in self._asked(vendor, way, repeats)]
            if way
            else []
        )
        shown = (each for trial in self._trials.values() for each in trial.defects)
        disk = OldLoader(plan.segments).disk_migrations or {}
        kept = len(plan.kept)
        return Proof(
            app_label=plan.app_label,
            last=way.chain[-1][1] if way else (*plan.kept, "")[-1],
            files_proved=tuple(_file(segment, disk) for segment in plan.segments),
            engines=tuple(engines),
            defects=tuple(dict.fromkeys((*self._defects, *shown))),
            notes=tuple(self._notes),
            refused=way.refused if way else (),
            operations=(
                sum(segment.before for segment in plan.segments),
                sum(segment.after for segment in plan.segments),
            ),
            files=(
                sum(len(segment.names) for segment in plan.segments) + kept,
                len(plan.segments) + kept,
            ),
            versions={"Django": django.get_version(), "Python": platform.python_version()},
        )

    def _asked(self, vendor: str, way: Upgrades, repeats: int) -> list[EngineProof]:
        """Return what an engine shows: nothing where there is none, or the old files fail there."""
        if vendor in self._given_up:
            return []
        try:
            trial = self._trial(vendor, way)
            digests, seconds = from_zero(trial, repeats) if repeats else (("", ""), (0.0, 0.0))
            return [trial.proof(digests, seconds)]
        except NoServerError as error:
            others = [other for other in self._vendors if other != vendor]
            self._notes[f"{error} What {' and '.join(others)} shows is no proof."] = None
        except OldPathError as error:
            self._notes[f"{vendor}: the old migrations cannot be applied: {error}"] = None
        self._given_up.add(vendor)
        return []

    def _trial(self, vendor: str, way: Upgrades) -> EngineTrial:
        trial = self._trials.get(vendor)
        if trial is None:
            trial = EngineTrial(
                plan=self._plan,
                upgrades=way,
                workshop=self._shops.of(vendor),
                alias=self._alias,
                progress=self._progress,
            )
            jumps(trial)
            self._trials[vendor] = trial
        return trial


def _file(segment: Segment, disk: Mapping[Key, Migration]) -> SquashedFile:
    return SquashedFile(
        name=segment.name,
        sha256=digest_of(segment.text),
        replaces={
            name: digest_of(File(getfile(type(disk[segment.app_label, name]))).read_text("utf-8"))
            for name in segment.names
        },
        elided=segment.elided,
    )
