"""Looks whether a committed proof is still true of the files that there are."""

from collections.abc import Collection
from dataclasses import dataclass
from inspect import getfile
from pathlib import Path

import django
from django.db.migrations.loader import MigrationLoader

from django_runbook.schema.errors import NoServerError
from django_runbook.schema.fingerprints.reading import fingerprint
from django_runbook.schema.history.failures import told
from django_runbook.schema.history.graph import Key
from django_runbook.schema.scratch.databases import Workshop, workshop
from django_runbook.schema.squash.proof.migration_paths import run
from django_runbook.schema.squash.proof.results import (
    EngineProof,
    Proof,
    SquashedFile,
    digest_of,
    read,
)


@dataclass(frozen=True, kw_only=True)
class Verification:
    """What is wrong with a proof, what is to be known, and the engines that were asked anew."""

    file: Path
    failures: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    engines: tuple[str, ...] = ()

    @property
    def holds(self) -> bool:
        """Whether the proof is true of the files."""
        return not self.failures


def verify(file: Path, *, alias: str, vendors: Collection[str] | None = None) -> Verification:
    """Compare the files with the proof, then build the schema from zero and compare its digest.

    The old files are compared where they are there; once they are gone (``--finish``), what the
    squashed ones build still is. Every engine of the proof is asked, or those of ``vendors``; one
    that cannot be had is a note. Raises ``MigrationsError`` for a file that is no proof.
    """
    proof = read(file)
    loader = MigrationLoader(None, load=False)
    loader.load_disk()  # no graph yet: that may be what is broken
    failures = _changes(proof, loader)
    if not proof.complete:
        failures.append("It is no complete proof: prove the squash anew, with PostgreSQL.")
    notes: list[str] = []
    asked: list[str] = []
    for engine in proof.engines:
        if failures or (vendors is not None and engine.vendor not in vendors):
            continue
        try:
            with workshop(engine.vendor, alias) as shop:
                others = _other_versions(proof, engine, shop)
                if _build(proof, shop, alias) == engine.digests[1]:
                    notes += others
                else:
                    failures.append(_differs(engine, others))
                asked.append(engine.vendor)
        except NoServerError as error:
            notes.append(f"{engine.vendor} was not asked: {error}")
        except Exception as error:  # noqa: BLE001  # a migration may raise anything
            failures.append(f"{engine.vendor}: the files cannot be applied: {told(error)}")
    return Verification(
        file=file, failures=tuple(failures), notes=tuple(notes), engines=tuple(asked)
    )


def _changes(proof: Proof, loader: MigrationLoader) -> list[str]:
    """Return what is another in the files, by their hashes."""
    found: list[str] = []
    for squashed in proof.files_proved:
        key = (proof.app_label, squashed.name)
        name = ".".join(key)
        hashes = {old: _hash(loader, (proof.app_label, old)) for old in squashed.replaces}
        gone = [old for old, sha in hashes.items() if not sha]
        there = _hash(loader, key)
        if not there:
            found.append(f"{name} is not there, and was proved.")
        elif there != squashed.sha256:
            found.append(f"{name} was changed since it was proved.")
        found += [
            f"{proof.app_label}.{old}, which {name} replaces, was changed since it was proved."
            for old, sha in hashes.items()
            if sha and sha != squashed.replaces[old]
        ]
        found += _half_gone(name, squashed, gone, loader, key) if there else []
    return found


def _half_gone(
    name: str, squashed: SquashedFile, gone: list[str], loader: MigrationLoader, key: Key
) -> list[str]:
    replaces = bool(loader.disk_migrations and loader.disk_migrations[key].replaces)
    if gone and len(gone) < len(squashed.replaces):
        return [f"{gone[0]} is gone, and others that {name} replaces are there."]
    if gone and replaces:
        return [f"The files that {name} replaces are gone: let it say 'replaces' no more."]
    if not gone and not replaces:
        return [f"{name} says 'replaces' no more, and what it replaced is there."]
    return []


def _hash(loader: MigrationLoader, key: Key) -> str:
    migration = (loader.disk_migrations or {}).get(key)
    return digest_of(Path(getfile(type(migration))).read_text("utf-8")) if migration else ""


def _build(proof: Proof, shop: Workshop, alias: str) -> str:
    """Return the digest of what the squashed files and their parents build from zero."""
    database = shop.create()
    end = (proof.app_label, proof.files_proved[-1].name)
    graph = MigrationLoader(None).graph
    if (proof.app_label, proof.last) in graph.nodes:
        end = (proof.app_label, proof.last)
    run(database, alias, MigrationLoader, graph.forwards_plan(end))
    return fingerprint(database).digest


def _other_versions(proof: Proof, engine: EngineProof, shop: Workshop) -> list[str]:
    pairs = (
        (engine.vendor, engine.version, shop.version),
        ("Django", proof.versions.get("Django", "?"), django.get_version()),
    )
    return [f"{what} is {now}, and was {then}." for what, then, now in pairs if then != now]


def _differs(engine: EngineProof, others: list[str]) -> str:
    why = f" {' '.join(others)} Prove the squash anew." if others else ""
    return f"{engine.vendor}: the files build another schema than the one proved.{why}"
