"""A plan of a squash with its proof, and one that is not the same: written by hand."""

from dataclasses import replace
from pathlib import Path

from django_runbook.schema.squash.proof.results import Check, Defect, EngineProof, Proof
from django_runbook.schema.squash.squash_plan import Blocker, Segment, SquashPlan

PLAN = SquashPlan(
    app_label="users",
    segments=(
        Segment(
            app_label="users",
            name="0001_squashed_0003_profile",
            names=("0001_initial", "0002_name", "0003_profile"),
            file=Path("/nowhere/migrations/0001_squashed_0003_profile.py"),
            text="first",
            before=4,
            after=2,
            elided=("0002_name: forwards",),
        ),
        Segment(
            app_label="users",
            name="0005_squashed_0006_more",
            names=("0005_index", "0006_more"),
            file=Path("/nowhere/migrations/0005_squashed_0006_more.py"),
            text="second",
            before=2,
            after=1,
        ),
    ),
    kept=("0004_fill",),
    blockers=(
        Blocker(
            migration="0004_fill",
            reason="RunPython that is not elidable",
            fix="Mark it elidable=True where no new database needs it.",
        ),
    ),
)
PROOF = Proof(
    app_label="users",
    last="0006_more",
    files_proved=(),
    engines=(
        EngineProof(
            vendor="sqlite",
            version="3.40.1",
            origin="in memory",
            digests=("a", "a"),
            states=1,
            runs=1,
            rows=1,
            seeded_rows=1,
            seconds=(0.5, 0.44),
        ),
        EngineProof(
            vendor="postgresql",
            version="18.1",
            origin="embedded",
            digests=("b", "b"),
            names=("users_user: index a is called b",),
            order=("users_user: id, name is name, id",),
            states=7,
            runs=3,
            rows=0,
            seeded_rows=40,
            seconds=(1.5, 1.625),
            gaps=("extension x",),
        ),
    ),
    operations=(6, 3),
    files=(6, 3),
    refused=("users.0001_initial", "users.0002_name"),
)
BROKEN = replace(
    PROOF,
    engines=(replace(PROOF.engines[1], digests=("b", "c"), names=(), order=(), gaps=()),),
    defects=(
        Defect(
            check=Check.SCHEMA,
            what="index users_user_a is new",
            segment="0005_squashed_0006_more",
            place="operation 2",
            vendor="postgresql",
        ),
    ),
)
