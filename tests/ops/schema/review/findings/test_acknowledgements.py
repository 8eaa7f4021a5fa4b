"""What the file of a migration accepts, and what becomes of a comment that accepts nothing."""

from pathlib import Path
from textwrap import dedent

import pytest

from django_runbook.schema.review.findings.acknowledgements import KNOWN, accepted
from django_runbook.schema.review.plan import Risk, Severity
from django_runbook.schema.review.rules.catalogue import RULES
from django_runbook.schema.review.sql.squawk import HAZARDS

FILE = """
    from django.db import migrations


    class Migration(migrations.Migration):
        atomic = False  # accepts half-state: each can be repeated

        dependencies = [("shop", "0001_initial")]

        operations = [
            # accepts drop-column: nobody has read it since 1.4
            # (see the notes of 1.4)

            # accepts irreversible: the values are in the backup
            migrations.RemoveField("thing", "name"),
            migrations.RunSQL(
                "UPDATE x",  # accepts changes-whole-table: 12 rows
                '''
                # accepts irreversible: this is SQL
                ''',
            ),  # accepts mixed-data-and-schema: 12 rows
            migrations.RunSQL("SELECT 1"),
        ]
"""


def risk(rule: str, operation: int | None) -> Risk:
    """Return a danger with as little as possible."""
    return Risk(
        rule=rule,
        severity=Severity.DANGER,
        reason="",
        rewrite="",
        source="rules",
        operation=operation,
    )


def look(folder: Path, text: str, *risks: tuple[str, int | None], known: str = "") -> list[str]:
    """Return each risk with the reason that the file gives, then what accepts nothing."""
    file = folder / "0002_change.py"
    file.write_text(dedent(text))
    found = accepted(file, [risk(*each) for each in risks], known=known.split())
    assert all(each.severity is Severity.WARNING for each in found[len(risks) :])
    return [f"{each.operation} {each.rule}: {each.accepted or each.reason}" for each in found]


def listed(*lines: str) -> str:
    """Return a file with one plain list of operations."""
    inside = "\n".join(f"        {line}" for line in lines)
    return f"class Migration:\n    operations = [\n{inside}\n    ]\n"


def test_beside_each_operation(tmp_path: Path) -> None:
    """A comment above an operation, inside it or behind it accepts there, and nowhere else."""
    assert look(
        tmp_path,
        FILE,
        ("drop-column", 0),
        ("irreversible", 0),
        ("irreversible", 1),
        ("changes-whole-table", 1),
        ("mixed-data-and-schema", 1),
        ("changes-whole-table", 2),
        ("mixed-data-and-schema", 2),
        ("half-state", None),
    ) == [
        "0 drop-column: nobody has read it since 1.4",
        "0 irreversible: the values are in the backup",
        "1 irreversible: ",
        "1 changes-whole-table: 12 rows",
        "1 mixed-data-and-schema: 12 rows",
        "2 changes-whole-table: ",
        "2 mixed-data-and-schema: ",
        "None half-state: each can be repeated",
    ]


def test_an_accepted_danger_fails_no_review(tmp_path: Path) -> None:
    """Acceptance takes the danger out of what fails, and keeps its severity."""
    file = tmp_path / "0002_change.py"
    file.write_text(listed("# accepts drop-column: unused", "Remove(),", "Remove(),"))
    found = accepted(file, [risk("drop-column", 0), risk("drop-column", 1)])
    assert [(each.severity, each.fails) for each in found] == [
        (Severity.DANGER, False),
        (Severity.DANGER, True),
    ]


@pytest.mark.parametrize(
    ("comment", "why"),
    [
        ("# accepts drop-column", "gives no reason: write # accepts RULE: REASON"),
        ("# accepts drop-column:  ", "gives no reason: write # accepts RULE: REASON"),
        ("# accepts drop-column because", "gives no reason: write # accepts RULE: REASON"),
        ("# accepts drop-colum: a typo", "there is no rule drop-colum"),
        ("# accepts: drop-column", "names no rule: write # accepts RULE: REASON"),
        ("# accepts drop-table: gone", "there is no such risk any more"),
        (
            "# accepts rename-table: here",
            "stands beside another operation than the one with that risk",
        ),
    ],
)
def test_a_comment_that_accepts_nothing(comment: str, why: str, tmp_path: Path) -> None:
    """It is told with its line and with what is wrong; the risk stays as it was."""
    text = listed(comment, "Remove(),", "Rename(),")
    assert look(tmp_path, text, ("drop-column", 0), ("rename-table", 1)) == [
        "0 drop-column: ",
        "1 rename-table: ",
        f"0 accepts-nothing: 0002_change.py, line 3, '{comment.strip()}': {why}.",
    ]


@pytest.mark.parametrize(
    "comment",
    ["# accepts any number of rows", "# It accepts drop-column: no", "# accepted", "# acceptsx: y"],
)
def test_prose_is_left_alone(comment: str, tmp_path: Path) -> None:
    """A comment that only uses the word is none of these."""
    assert look(tmp_path, listed(comment, "Remove()")) == []


def test_a_reason_counts_after_a_comment_without(tmp_path: Path) -> None:
    """The comment without a reason is told; the one with a reason accepts all the same."""
    text = listed("# accepts drop-column", "# accepts drop-column: unused", "Remove(),")
    told = "0002_change.py, line 3, '# accepts drop-column': gives no reason: "
    assert look(tmp_path, text, ("drop-column", 0)) == [
        "0 drop-column: unused",
        f"0 accepts-nothing: {told}write # accepts RULE: REASON.",
    ]


@pytest.mark.parametrize("form", ["#accepts {}: why", "##  Accepts  {} :why", "# accepts {}:why"])
def test_forms(form: str, tmp_path: Path) -> None:
    """Spaces and the case of the word do not matter."""
    text = listed(form.format("drop-column"), "Remove()")
    assert look(tmp_path, text, ("drop-column", 0)) == ["0 drop-column: why"]


def test_operations_on_one_line(tmp_path: Path) -> None:
    """A comment on a line with several operations stands beside each of them."""
    text = "class Migration:\n    operations = [Op(), Op()]  # accepts drop-table: gone\n"
    assert look(tmp_path, text, ("drop-table", 0), ("drop-table", 1)) == [
        "0 drop-table: gone",
        "1 drop-table: gone",
    ]


def test_rules_of_others(tmp_path: Path) -> None:
    """A rule that another part brings is known, by its name or by a risk that has it."""
    text = listed("# accepts fails-on-rows: mended", "Op()")
    told = "0 accepts-nothing: 0002_change.py, line 3, '# accepts fails-on-rows: mended': "
    assert look(tmp_path, text) == [f"{told}there is no rule fails-on-rows."]
    assert look(tmp_path, text, known="fails-on-rows") == [f"{told}there is no such risk any more."]
    assert look(tmp_path, text, ("fails-on-rows", 0)) == ["0 fails-on-rows: mended"]


@pytest.mark.parametrize(
    ("source", "why"),
    [
        (None, "No such file or directory"),
        (b"# accepts drop-column: x\nclass (:\n", "invalid syntax, line 2"),
        (b"# accepts drop-column: x\nx = [\n", "'[' was never closed, line 2"),
        (b"# coding: klingon\n", "unknown encoding: klingon"),
        (b"# accepts drop-column: \xff\n", "invalid or missing encoding declaration"),
        (b"# accepts drop-column: x\n\x00", "source code"),
    ],
)
def test_a_file_that_cannot_be_read(source: bytes | None, why: str, tmp_path: Path) -> None:
    """It accepts nothing, and that is told; the risks stay as they were."""
    file = tmp_path / "0002_change.py"
    if source is not None:
        file.write_bytes(source)
    found = accepted(file, [risk("drop-column", 0)])
    assert [each.rule for each in found] == ["drop-column", "unreadable-file"]
    assert [each.fails for each in found] == [True, False]
    assert why in found[1].reason
    assert "\n" not in found[1].reason


def test_every_rule_can_be_accepted() -> None:
    """The rules, and those that squawk alone has, are known by name."""
    assert set(RULES) <= KNOWN
    assert {rule for rule, _, _ in HAZARDS.values()} <= KNOWN
