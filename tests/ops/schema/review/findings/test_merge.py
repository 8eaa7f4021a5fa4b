"""What the rules and squawk both found is told once."""

from django_runbook.schema.review.findings.merge import merged
from django_runbook.schema.review.plan import Risk, Severity


def risk(rule: str, operation: int | None, source: str, **more: object) -> Risk:
    """Return a risk with as little as possible."""
    return Risk(
        rule=rule,
        severity=more.pop("severity", Severity.DANGER),
        reason=source,
        rewrite="",
        source=source,
        operation=operation,
        **more,
    )


def test_both_found_it() -> None:
    """One hazard of one operation is told once, with the rules' severity and both sources."""
    rules = [
        risk("change-type", 0, "rules", table="a", severity=Severity.NOTE),
        risk("add-unique", 1, "rules", table="a"),
        risk("drop-column", 2, "rules", table="a"),
        risk("irreversible", 2, "rules"),
    ]
    squawks = [
        risk("change-type", 0, "squawk", table="a"),
        risk("add-unique", 1, "squawk", table="a"),
        risk("add-index", None, "squawk", table="a"),
        risk("drop-column", 3, "squawk", table="a"),
        risk("drop-column", 2, "squawk", table="b"),
        risk("add-index", None, "squawk", table="b"),
    ]
    found = merged(rules, squawks)
    assert [(each.operation, each.rule, each.table, each.source) for each in found] == [
        (0, "change-type", "a", "rules, squawk"),
        (1, "add-unique", "a", "rules, squawk"),
        (2, "drop-column", "a", "rules"),
        (2, "irreversible", "", "rules"),
        (2, "drop-column", "b", "squawk"),
        (3, "drop-column", "a", "squawk"),
        (None, "add-index", "b", "squawk"),
    ]
    assert found[0].severity is Severity.NOTE
