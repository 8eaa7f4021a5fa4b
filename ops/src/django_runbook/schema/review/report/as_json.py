"""A plan for programs."""

import json
from dataclasses import asdict
from typing import Any

from django_runbook.schema.review.plan import MigrationPlan, Plan
from django_runbook.schema.review.report import phrases

VERSION = 1


def as_json(plan: Plan) -> str:
    """Return a plan as one JSON object; severities are words, files as seen from here."""
    return json.dumps(
        {
            "version": VERSION,
            "engine": plan.vendor,
            "engine_version": plan.version,
            "origin": plan.origin,
            "failing": len(plan.failing),
            "notes": plan.notes,
            "seconds": {name: round(seconds, 3) for name, seconds in plan.seconds.items()},
            "migrations": [_migration(migration) for migration in plan.migrations],
        },
        indent=2,
    )


def _migration(migration: MigrationPlan) -> dict[str, Any]:
    values = {**asdict(migration), "file": phrases.file(migration)}
    values["risks"] = [
        {**asdict(risk), "severity": risk.severity.name.lower(), "fails": risk.fails}
        for risk in migration.risks
    ]
    return values
