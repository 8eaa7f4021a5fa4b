"""Words that the terminal's view and the pull request's have in common."""

from collections import Counter
from collections.abc import Iterable, Iterator

from django_runbook.schema.history.graph import shown
from django_runbook.schema.review.findings.severity import spelled
from django_runbook.schema.review.plan import MigrationPlan, Plan, Risk, Severity, TableEffect
from django_runbook.schema.wording import counted

ENGINES = {"postgresql": "PostgreSQL", "sqlite": "SQLite"}


def headline(plan: Plan) -> str:
    """Return how many migrations there are, and how many risks of each severity."""
    if not plan.migrations:
        return "No migration to look at"
    risks = [risk for migration in plan.migrations for risk in migration.risks]
    return f"{counted(len(plan.migrations), 'migration')}: {tally(risks)}"


def tally(risks: Iterable[Risk]) -> str:
    """Return how many risks of each severity there are, the worst first."""
    counts: Counter[str] = Counter()
    for risk in sorted(risks, key=lambda risk: (-risk.severity, bool(risk.accepted))):
        counts[risk.severity.name.lower() + (" accepted" if _was_danger(risk) else "")] += 1
    parts = []
    for word, count in counts.items():
        name, _, accepted = word.partition(" ")
        parts.append(f"{counted(count, name)}{' ' + accepted if accepted else ''}")
    return ", ".join(parts) or "no risk found"


def made_on(plan: Plan) -> str:
    """Return on what the plan was made."""
    engine = ENGINES.get(plan.vendor, plan.vendor)
    return f"{engine} {plan.version} ({plan.origin}), each with exactly its parents applied"


def title(plan: MigrationPlan) -> str:
    """Return a migration's name, and that it runs outside of a transaction where it does."""
    return f"{plan.app_label}.{plan.name}{'' if plan.atomic else ' (not atomic)'}"


def risk_lines(risk: Risk) -> Iterator[tuple[str, str]]:
    """Yield what there is to say of a risk beside its reason: a word, and the text."""
    for word, text in (
        ("Rewrite", risk.rewrite),
        ("Rehearsal", risk.showed),
        ("At size", risk.at_size),
        ("Accepted", risk.accepted),
    ):
        if text:
            yield word, text


def effect_words(effect: TableEffect) -> str:
    """Return what an operation did to a table with made-up rows, in words."""
    said = [
        f"{spelled(effect.lock)} lock" if effect.lock else "",
        "rewritten" if effect.rewritten else "",
        f"{counted(effect.scanned, 'row')} read" if effect.scanned else "",
        f"{counted(effect.changed, 'row')} changed" if effect.changed else "",
    ]
    return f"{effect.table} ({counted(effect.rows, 'row')}): {', '.join(filter(None, said))}"


def failures(plan: Plan) -> list[str]:
    """Return the dangers that nobody has accepted, each with its migration."""
    return [
        f"{migration.app_label}.{migration.name}: {risk.rule}"
        for migration in plan.migrations
        for risk in migration.risks
        if risk.fails
    ]


def took(plan: Plan) -> str:
    """Return where the time went."""
    shares = ", ".join(f"{name} {seconds:.1f}" for name, seconds in plan.seconds.items())
    return f"Took {sum(plan.seconds.values()):.1f} s: {shares}." if shares else ""


def file(plan: MigrationPlan) -> str:
    """Return a migration's file as it is called from the current folder."""
    return shown(plan.file) or plan.file.name


def _was_danger(risk: Risk) -> bool:
    return bool(risk.accepted) and risk.severity is Severity.DANGER
