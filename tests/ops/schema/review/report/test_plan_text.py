"""A plan as people, pull requests and programs read it: whole outputs."""

import json
from dataclasses import replace
from pathlib import Path
from textwrap import dedent

import pytest
from hypothesis import given
from hypothesis import strategies as st

from django_runbook.schema.review.plan import (
    MigrationPlan,
    OperationPlan,
    Plan,
    Rehearsal,
    Risk,
    Severity,
    TableEffect,
)
from django_runbook.schema.review.report.as_json import as_json
from django_runbook.schema.review.report.markdown import COMMENT, MARGIN, escaped, fenced, markdown
from django_runbook.schema.review.report.terminal import lines

DROP = Risk(
    rule="drop-column",
    severity=Severity.DANGER,
    reason="shop_item.code goes with its values.",
    rewrite="First release code without it.",
    source="rules, squawk",
    operation=0,
    table="shop_item",
)
INDEX = Risk(
    rule="add-index",
    severity=Severity.DANGER,
    reason="Nobody writes meanwhile.",
    rewrite="AddIndexConcurrently.",
    source="rules",
    operation=1,
    showed="rehearsed: reads all rows of shop_item under SHARE",
    accepted="it is small",
    at_size="reads 41 GB under SHARE",
)
ODD = Risk(
    rule="irreversible",
    severity=Severity.WARNING,
    reason="It cannot be undone: `x` | <b>@you</b>.",
    rewrite="Give it a reverse.",
    source="rules",
)
REHEARSAL = Rehearsal(
    effects=(
        TableEffect(operation=0, table="shop_item", rows=2000, lock="AccessExclusiveLock"),
        TableEffect(
            operation=1,
            table="shop_item",
            rows=2000,
            lock="ShareLock",
            rewritten=True,
            scanned=2000,
            changed=1,
        ),
    ),
    failed=1,
    error="IntegrityError: no\x1b[2Jway",
    gaps=("shop_odd: no rows.",),
)
ITEM = MigrationPlan(
    app_label="shop",
    name="0002_less",
    file=Path.cwd() / "shop/migrations/0002_less.py",
    atomic=False,
    operations=(
        OperationPlan(
            index=0,
            description="Remove field code from item",
            statements=('ALTER TABLE "shop_item" DROP COLUMN "code" CASCADE;',),
        ),
        OperationPlan(index=1, description="Create *index*\nby_a", statements=()),
    ),
    closing=("SELECT 1\nFROM ```;",),
    risks=(ODD, DROP, INDEX),
    rehearsal=REHEARSAL,
)
EMPTY = MigrationPlan(
    app_label="shop", name="0003_nothing", file=ITEM.file, atomic=True, operations=()
)
PLAN = Plan(
    vendor="postgresql",
    version="18.1",
    origin="embedded",
    migrations=(ITEM, EMPTY),
    notes=("The target is SQLite.",),
    seconds={"server": 1.62, "SQL": 0.31},
)


def test_terminal() -> None:
    """Everything stands at its operation; nothing of a migration's text steers the terminal."""
    assert "\n".join(lines(PLAN)) == dedent("""\
        2 migrations: 1 danger, 1 danger accepted, 1 warning.
        PostgreSQL 18.1 (embedded), each with exactly its parents applied.
        Note: The target is SQLite.

        shop.0002_less (not atomic)  shop/migrations/0002_less.py
             WARNING irreversible (rules): It cannot be undone: `x` | <b>@you</b>.
               Rewrite: Give it a reverse.
          1. Remove field code from item
               ALTER TABLE "shop_item" DROP COLUMN "code" CASCADE;
             DANGER drop-column (rules, squawk): shop_item.code goes with its values.
               Rewrite: First release code without it.
             shop_item (2,000 rows): ACCESS EXCLUSIVE lock
          2. Create *index* by_a
               -- no SQL
             DANGER add-index (rules): Nobody writes meanwhile.
               Rewrite: AddIndexConcurrently.
               Rehearsal: rehearsed: reads all rows of shop_item under SHARE
               At size: reads 41 GB under SHARE
               Accepted: it is small
             shop_item (2,000 rows): SHARE lock, rewritten, 2,000 rows read, 1 row changed
          At the end:
               SELECT 1
               FROM ```;
          The rehearsal failed at 2. Create *index* by_a: IntegrityError: no\\x1b[2Jway
          Not rehearsed: shop_odd: no rows.

        shop.0003_nothing  shop/migrations/0002_less.py
          No operations.

        Took 1.9 s: server 1.6, SQL 0.3.""")


def test_terminal_wraps_and_paints() -> None:
    """Sentences are wrapped at the width, SQL is not; the severity's word is painted alone."""
    wrapped = list(lines(PLAN, width=60, paint=lambda severity, text: f"<{severity:d}{text}>"))
    at = wrapped.index("     <3DANGER> drop-column (rules, squawk): shop_item.code goes")
    assert wrapped[at - 1] == '       ALTER TABLE "shop_item" DROP COLUMN "code" CASCADE;'
    assert wrapped[at + 1] == "       with its values."


def test_markdown() -> None:
    """Names and reasons are shown as they are, mention nobody, and end no fence."""
    assert markdown(PLAN) == dedent("""\
        ## 2 migrations: 1 danger, 1 danger accepted, 1 warning

        PostgreSQL 18.1 (embedded), each with exactly its parents applied.

        > The target is SQLite.

        <details open>
        <summary><b>shop.0002_less (not atomic)</b>: 1 danger, 1 danger accepted, 1 warning</summary>

        shop/migrations/0002\\_less.py

        - **WARNING** irreversible (rules): It cannot be undone: \\`x\\` \\| &lt;b&gt;@&#8203;you&lt;/b&gt;.
          - rewrite: Give it a reverse.
        - **DANGER** drop-column (rules, squawk, operation 1): shop\\_item.code goes with its values.
          - rewrite: First release code without it.
        - **DANGER** add-index (rules, operation 2): Nobody writes meanwhile.
          - rewrite: AddIndexConcurrently.
          - rehearsal: rehearsed: reads all rows of shop\\_item under SHARE
          - at size: reads 41 GB under SHARE
          - accepted: it is small

        **1.** Remove field code from item

        ```sql
        ALTER TABLE "shop_item" DROP COLUMN "code" CASCADE;
        ```

        **2.** Create \\*index\\* by\\_a

        ```sql
        -- no SQL
        ```

        **At the end**

        ````sql
        SELECT 1
        FROM ```;
        ````

        | operation | table | rows | lock | rewritten | rows read | rows changed |
        | --: | :-- | --: | :-- | :-- | --: | --: |
        | 1 | shop\\_item | 2,000 | ACCESS EXCLUSIVE | - | 0 | 0 |
        | 2 | shop\\_item | 2,000 | SHARE | yes | 2,000 | 1 |

        The rehearsal failed: IntegrityError: no\\\\x1b\\[2Jway

        Not rehearsed: shop\\_odd: no rows.

        </details>

        <details>
        <summary><b>shop.0003_nothing</b>: no risk found</summary>

        shop/migrations/0002\\_less.py

        </details>

        <sub>Took 1.9 s: server 1.6, SQL 0.3.</sub>
        """)  # noqa: E501  # as GitHub gets it


def test_names_are_no_markup() -> None:
    """A file's name may hold anything: in HTML, too, it is shown as it is, and calls nobody."""
    text = markdown(replace(PLAN, migrations=(replace(EMPTY, name="2_<b>@you"),)))
    assert "<summary><b>shop.2_&lt;b&gt;@&#8203;you</b>: no risk found</summary>" in text


def test_nothing_to_look_at() -> None:
    """A plan without migrations is one line, and its notes."""
    empty = Plan(vendor="sqlite", version="", origin="", migrations=(), notes=("a is replaced.",))
    assert list(lines(empty)) == ["No migration to look at.", "Note: a is replaced."]
    assert markdown(empty) == "## No migration to look at\n\n> a is replaced.\n"


@pytest.mark.parametrize(
    ("statements", "reasons", "migrations", "left_out"),
    [
        (10_000, 1, 1, ""),
        (100_000, 1, 1, "left out is the SQL."),
        (40_000, 1, 2, "left out is the SQL."),
        (10, 20_000, 2, "left out is the SQL, and all risks but the dangers."),
        (10, 10, 600, "more migrations left out."),
    ],
)
def test_markdown_is_cut(statements: int, reasons: int, migrations: int, left_out: str) -> None:
    """What is too long loses its SQL, its lesser risks, its last migrations, and says so."""
    migration = replace(
        ITEM,
        operations=(replace(ITEM.operations[0], statements=("é" * (statements // 2),)),),
        risks=(replace(ODD, reason="x" * reasons, rewrite="x" * reasons), DROP),
    )
    plan = replace(PLAN, migrations=(migration,) * migrations)
    text = markdown(plan, COMMENT)
    assert len(text.encode()) <= COMMENT - MARGIN
    assert (left_out or "Took 1.9 s") in text
    assert bool(left_out) == ("left out" in text)
    assert "drop-column" in text
    assert text.count("<details") == text.count("</details>")
    fences = [line for line in text.splitlines() if line.startswith("```")]
    assert len(fences) % 2 == 0


def test_every_limit_is_kept() -> None:
    """Whatever the limit, the text is below it, and ends."""
    plan = replace(PLAN, migrations=(replace(ITEM, risks=(DROP,)),) * 9)
    for limit in range(MARGIN + 300, MARGIN + 4_000, 53):
        assert len(markdown(plan, limit).encode()) <= limit - MARGIN


def test_sql_of_the_risky_stays_longest() -> None:
    """The SQL of migrations without an unaccepted danger goes first."""
    long = (replace(ITEM.operations[0], statements=("x" * 40_000,)),)
    calm = replace(ITEM, operations=long, risks=(), closing=())
    text = markdown(replace(PLAN, migrations=(ITEM, calm, calm)), COMMENT)
    assert "left out is the SQL of migrations without a danger." in text
    assert "DROP COLUMN" in text


@given(st.text())
def test_no_text_breaks_out(text: str) -> None:
    """Whatever stands in a name or in SQL, it is one line there, and inside its fence here."""
    shown = escaped(text)
    assert "\n" not in shown
    assert "<" not in shown
    assert "@" not in shown.replace("@&#8203;", "")
    first, *_, last, rest = fenced([text]).split("\n")
    assert (first, rest) == (f"{last}sql", "")
    assert last not in fenced([text]).removeprefix(first).removesuffix(f"{last}\n")


def test_json() -> None:
    """All of it, with words for the severities, and what fails."""
    told = json.loads(as_json(PLAN))
    assert {key: value for key, value in told.items() if key != "migrations"} == {
        "version": 1,
        "engine": "postgresql",
        "engine_version": "18.1",
        "origin": "embedded",
        "failing": 1,
        "notes": ["The target is SQLite."],
        "seconds": {"server": 1.62, "SQL": 0.31},
    }
    first = told["migrations"][0]
    assert first["file"] == "shop/migrations/0002_less.py"
    assert first["risks"][1] == {
        "rule": "drop-column",
        "severity": "danger",
        "reason": "shop_item.code goes with its values.",
        "rewrite": "First release code without it.",
        "source": "rules, squawk",
        "operation": 0,
        "table": "shop_item",
        "showed": "",
        "accepted": "",
        "at_size": "",
        "fails": True,
    }
    assert [risk["fails"] for risk in first["risks"]] == [False, True, False]
    assert first["rehearsal"]["effects"][0]["lock"] == "AccessExclusiveLock"
