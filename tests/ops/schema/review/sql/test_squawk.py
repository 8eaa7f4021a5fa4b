"""Squawk reads the true SQL, and never fails silently."""

import subprocess
import sysconfig
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from django_runbook.schema.review.plan import Risk, Severity
from django_runbook.schema.review.sql import squawk as module
from django_runbook.schema.review.sql.squawk import (
    HAZARDS,
    LEFT_OUT,
    SquawkFailedError,
    SquawkMissingError,
    squawk,
)

VERSION = "18.1"
DROP = 'ALTER TABLE "shop_thing" DROP COLUMN "note" CASCADE'


def briefly(*statements: tuple[int | None, str], atomic: bool = True) -> list[tuple[object, ...]]:
    """Return what squawk finds: the operation, the hazard and the table."""
    found = squawk(statements, atomic=atomic, version=VERSION)
    return [(risk.operation, risk.rule, risk.table) for risk in found]


def test_a_finding_belongs_to_its_operation() -> None:
    """Statements of many lines, several in one text, and comments keep the places right."""
    found = squawk(
        [
            (0, "-- Python: shop.change()"),
            (0, "SELECT 1;\n\n-- a remark; with a semicolon\nSELECT ';'\n;"),
            (1, f"{DROP};\n{DROP.replace('note', 'name')}; DROP TABLE shop_box -- why"),
            (3, 'ALTER TABLE "shop_thing"\n    RENAME COLUMN "a"\n    TO "b"'),
            (None, 'CREATE INDEX "i" ON "shop_thing" ("b")'),
        ],
        atomic=True,
        version=VERSION,
    )
    assert found == (
        Risk(
            rule="drop-column",
            severity=Severity.DANGER,
            reason="Dropping a column may break existing clients.",
            rewrite="First release code that does not name it.",
            source="squawk",
            operation=1,
            table="shop_thing",
        ),
        Risk(
            rule="drop-table",
            severity=Severity.DANGER,
            reason="Dropping a table may break existing clients.",
            rewrite="First release code that does not name it.",
            source="squawk",
            operation=1,
            table="shop_box",
        ),
        Risk(
            rule="rename-column",
            severity=Severity.DANGER,
            reason="Renaming a column may break existing clients.",
            rewrite="Keep the name, by db_column.",
            source="squawk",
            operation=3,
            table="shop_thing",
        ),
        Risk(
            rule="add-index",
            severity=Severity.DANGER,
            reason=(
                "During normal index creation, table updates are blocked, but reads are still "
                "allowed."
            ),
            rewrite="Use concurrently to avoid blocking writes.",
            source="squawk",
            operation=None,
            table="shop_thing",
        ),
    )


@given(st.lists(st.text(alphabet="a;-'\n\r\x0b\x85\u2028é$/*\"", max_size=12), max_size=6))
def test_the_line_of_each_statement_is_known(noise: list[str]) -> None:
    """Whatever stands in strings and around, each statement begins at the line that is noted."""
    texts = [f"SELECT '{each.replace(chr(39), '')}'\n, {n}" for n, each in enumerate(noise)]
    numbered, text = module._numbered(list(enumerate(texts)))
    lines = text.split("\n")
    assert [each.operation for each in numbered] == list(range(len(texts)))
    for each in numbered:
        assert "\n".join(lines[each.line :]).startswith(each.text)


def test_tables_that_the_migration_makes() -> None:
    """A table that is new, by any name that it gets, is no risk."""
    made = [
        (0, 'CREATE TABLE "box" ("id" bigint NOT NULL PRIMARY KEY)'),
        (1, 'ALTER TABLE "box" RENAME TO "crate"'),
        (2, 'ALTER TABLE "crate" DROP COLUMN "x"'),
        (3, 'CREATE UNIQUE INDEX "i" ON "crate" ("id")'),
    ]
    assert briefly(*made) == []
    assert briefly(*made[2:]) == [(2, "drop-column", "crate"), (3, "add-unique", "crate")]


@pytest.mark.parametrize(
    ("statement", "rule"),
    [
        ("ALTER TABLE a ADD CONSTRAINT c UNIQUE (b)", "add-unique"),
        ("CREATE UNIQUE INDEX c ON a (b)", "add-unique"),
        ("ALTER TABLE a ADD CONSTRAINT c CHECK (b > 0)", "add-check"),
        ("ALTER TABLE a ADD CONSTRAINT c EXCLUDE USING gist (b WITH &&)", "add-exclusion"),
        ("ALTER TABLE a ADD CONSTRAINT c FOREIGN KEY (b) REFERENCES d (e)", "add-foreign-key"),
        ("ALTER TABLE a ADD c int GENERATED ALWAYS AS (b * 2) STORED", "add-generated-column"),
        ("ALTER TABLE a ADD c float DEFAULT random() NOT NULL", "add-volatile-default"),
        ("ALTER TABLE a ALTER b TYPE bigint", "change-type"),
        ("REINDEX TABLE a", "require-concurrent-reindex"),
        ("SELEC 1", "unseen-operation"),
    ],
)
def test_the_same_hazard_has_the_same_name(statement: str, rule: str) -> None:
    """What the rules find by another name is called by theirs, once for each statement."""
    assert [risk.rule for risk in squawk([(0, statement)], atomic=True, version="")] == [rule]


def test_style_is_left_out() -> None:
    """Types, timeouts and repeatability are no hazards; each exception has its reason."""
    statement = "ALTER TABLE a ADD b timestamp NULL, ADD c varchar(9) NULL, ADD d int NULL"
    assert briefly((0, statement), (1, "ALTER TABLE a ALTER b DROP NOT NULL")) == []
    assert all(LEFT_OUT.values())
    assert not set(LEFT_OUT) & set(HAZARDS)


def test_the_transaction_is_told() -> None:
    """CONCURRENTLY is a danger in an atomic migration, and right in another."""
    statements = [(0, "SELECT 1"), (1, "CREATE INDEX CONCURRENTLY i ON a (b)")]
    assert briefly(*statements) == [(1, "concurrently-in-transaction", "a")]
    assert briefly(*statements, atomic=False) == []


def test_nothing_silences_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither a comment in the SQL nor a configuration in the folder hides a danger."""
    (tmp_path / ".squawk.toml").write_text('excluded_rules = ["ban-drop-column"]\n')
    monkeypatch.chdir(tmp_path)
    silent = f"-- squawk-ignore-file\n-- squawk-ignore ban-drop-column\n{DROP}"
    assert briefly((0, silent)) == [(0, "drop-column", "shop_thing")]


def test_no_statements_need_no_squawk(monkeypatch: pytest.MonkeyPatch) -> None:
    """A migration without SQL starts no process."""
    monkeypatch.setattr(subprocess, "run", None)
    assert squawk([(0, "-- nothing"), (1, ";")], atomic=True, version=VERSION) == ()


@pytest.fixture
def fake(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], Path]:
    """Return what puts a shell script in squawk's place."""

    def make(script: str) -> Path:
        program = tmp_path / "squawk"
        program.write_text(f"#!/bin/sh\n{script}\n")
        program.chmod(0o755)
        monkeypatch.setattr(sysconfig, "get_path", lambda _: str(tmp_path))
        return program

    return make


def test_it_is_not_installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where there is no squawk, the error says how to get it."""
    monkeypatch.setattr(sysconfig, "get_path", lambda _: str(tmp_path))
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(SquawkMissingError) as error:
        squawk([(0, DROP)], atomic=True, version=VERSION)
    assert str(error.value) == 'squawk is not installed: pip install "django-runbook[review]".'


@pytest.mark.parametrize(
    ("script", "told"),
    [
        ("echo broken >&2\necho more >&2\nexit 101", "{} ended with 101: broken"),
        ("exit 2", "{} ended with 2: it said nothing"),
        ("kill -SEGV $$", "{} ended with -11: it said nothing"),
        ("echo '{\"a\": 1}'", "squawk's answer cannot be read: '{{\"a\": 1}}'"),
        ("echo '[{\"line\": 1}]'", "squawk's answer cannot be read: '[{{\"line\": 1}}]'"),
        ("echo '[1]'", "squawk's answer cannot be read: '[1]'"),
        ("exit 0", "squawk's answer cannot be read: ''"),
        ("echo Panic >&2; exit 1", "squawk's answer cannot be read: 'Panic'"),
    ],
)
def test_a_failure_is_told_in_one_line(script: str, told: str, fake: Callable[[str], Path]) -> None:
    """A crash, an unknown answer and no answer are errors: they never look like nothing found."""
    program = fake(f"cat > /dev/null\n{script}")
    with pytest.raises(SquawkFailedError) as error:
        squawk([(0, DROP)], atomic=True, version=VERSION)
    assert str(error.value) == told.format(program) + "."


def test_it_does_not_answer(fake: Callable[[str], Path], monkeypatch: pytest.MonkeyPatch) -> None:
    """A squawk that hangs is ended."""
    program = fake("exec sleep 60")
    monkeypatch.setattr(module, "SECONDS", 0.2)
    with pytest.raises(SquawkFailedError, match=rf"^{program} gave no answer in 0.2 s.$"):
        squawk([(0, DROP)], atomic=True, version=VERSION)


def test_it_does_not_start(fake: Callable[[str], Path]) -> None:
    """A program that cannot be run is named."""
    program = fake("")
    program.chmod(0o644)
    with pytest.raises(SquawkFailedError, match=rf"^{program} does not start: Permission denied.$"):
        squawk([(0, DROP)], atomic=True, version=VERSION)
