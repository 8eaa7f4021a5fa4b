"""The SQL of migrations, where exactly their parents are applied."""

import functools
from collections.abc import Callable

import pytest
from django.db import connections
from django.db.migrations.loader import MigrationLoader

from django_runbook.schema.review.sql.statements import Collected, called, statements
from django_runbook.schema.scratch.databases import Workshop, in_place, workshop
from django_runbook.schema.scratch.stages import Stages, apply
from tests.ops.schema.conftest import MakeApp

StagesOn = Callable[[Workshop], Stages]


def flat(collected: Collected) -> list[str]:
    """Return all statements in the order of running."""
    return [
        *[text for plan in collected.operations for text in plan.statements],
        *collected.closing,
    ]


def at(shop: Workshop, stages_on: StagesOn, name: str, label: str = "shop") -> Collected:
    """Return what a migration's SQL is."""
    with stages_on(shop).before((label, name)) as stage:
        return statements(stage)


def sqlmigrate(shop: Workshop, name: str, *, migrated: bool) -> list[str]:
    """Return Django's SQL on an empty database, or on one where everything is applied."""
    made, loader = shop.create(), MigrationLoader(None)
    key = ("shop", name)
    with in_place(made, "default"):
        if migrated:
            state = loader.project_state([])
            for node in loader.graph.forwards_plan(loader.graph.leaf_nodes("shop")[0]):
                state = apply(loader.graph.nodes[node], state, made)
        loader.connection = made
        lines = loader.collect_sql([(loader.graph.nodes[key], False)])
    return [line for line in lines if not line.startswith("--")]


@pytest.mark.slow
def test_at_the_parents_and_nowhere_else(
    postgresql: Workshop, make_app: MakeApp, stages_on: StagesOn
) -> None:
    """An empty database hides a constraint that is dropped; a migrated one drops the wrong one."""
    make_app(
        "shop",
        m0001_initial="""[migrations.CreateModel("Item", [
            ("id", models.BigAutoField(primary_key=True)),
            ("code", models.IntegerField(unique=True)),
        ])]""",
        m0002_not_unique="""[migrations.AlterField("item", "code", models.IntegerField())]""",
        m0003_unique_again="""[migrations.AddConstraint(
            "item", models.UniqueConstraint(fields=["code"], name="one_code"))]""",
    )
    always = 'DROP INDEX IF EXISTS "shop_item_code_7fe3372d_like";'
    with stages_on(postgresql).before(("shop", "0002_not_unique")) as stage:
        collected = statements(stage)
        assert statements(stage) == collected  # the first left all as it was
    assert flat(collected) == [
        'ALTER TABLE "shop_item" DROP CONSTRAINT "shop_item_code_key";',
        always,
    ]
    assert sqlmigrate(postgresql, "0002_not_unique", migrated=False) == [always]
    assert sqlmigrate(postgresql, "0002_not_unique", migrated=True) == [
        'ALTER TABLE "shop_item" DROP CONSTRAINT "one_code";',
        always,
    ]


def test_what_the_same_migration_made(
    postgresql: Workshop, make_app: MakeApp, stages_on: StagesOn
) -> None:
    """An operation finds what an earlier one has made, where ``sqlmigrate`` ends in an error."""
    make_app(
        "shop",
        m0001_initial="""[migrations.CreateModel("Item", [
            ("id", models.BigAutoField(primary_key=True)),
            ("a", models.IntegerField()), ("b", models.IntegerField()),
        ])]""",
        m0002_both="""[
            migrations.AlterUniqueTogether("item", {("a", "b")}),
            migrations.AlterUniqueTogether("item", set()),
        ]""",
    )
    collected = at(postgresql, stages_on, "0002_both")
    name = "shop_item_a_b_5356df3f_uniq"
    assert [plan.statements for plan in collected.operations] == [
        (f'ALTER TABLE "shop_item" ADD CONSTRAINT "{name}" UNIQUE ("a", "b");',),
        (f'ALTER TABLE "shop_item" DROP CONSTRAINT "{name}";',),
    ]
    with pytest.raises(ValueError, match="wrong number"):
        sqlmigrate(postgresql, "0002_both", migrated=False)


@pytest.mark.slow
def test_the_installed_apps(shop: Workshop, stages_on: StagesOn) -> None:
    """Django's own migrations and this product's: what ``sqlmigrate`` says at their parents."""
    graph = MigrationLoader(None).graph
    plan = [node for leaf in graph.leaf_nodes() for node in graph.forwards_plan(leaf)]
    stages, seen = stages_on(shop), 0
    for key in dict.fromkeys(plan):
        with stages.before(key) as stage:
            collected = statements(stage)
            with stage.connection.schema_editor(
                collect_sql=True, atomic=stage.migration.atomic
            ) as editor:
                stage.migration.apply(stage.state.clone(), editor, collect_sql=True)
            django = [line for line in editor.collected_sql if not line.startswith("--")]
            ours = [
                text
                for plan in collected.operations
                for text in plan.statements
                if not plan.statements[0].startswith("--")  # what Python does, Django leaves out
            ]
            assert [*ours, *collected.closing] == django, key
            assert not collected.error
            seen += bool(django)
    assert seen > 10


@pytest.mark.slow
def test_held_back_sql(postgresql: Workshop, make_app: MakeApp, stages_on: StagesOn) -> None:
    """What waits for the end stands there, or with its operation where nothing runs in between."""
    one = """migrations.CreateModel("One", [("id", models.BigAutoField(primary_key=True)),
        ("tag", models.SlugField())])"""
    two = """migrations.CreateModel("Two", [("id", models.BigAutoField(primary_key=True))])"""
    make_app("shop", m0001_initial=f"[{one}, {two}]", m0002_more="[]")
    make_app("zoo", m0001_initial=f"[{two}, {one}, migrations.RunSQL([])]")
    held = at(postgresql, stages_on, "0001_initial")
    plain = at(postgresql, stages_on, "0001_initial", "zoo")
    assert [len(plan.statements) for plan in held.operations] == [1, 1]
    assert [text.partition(" ON ")[0] for text in held.closing] == [
        'CREATE INDEX "shop_one_tag_086100f2"',
        'CREATE INDEX "shop_one_tag_086100f2_like"',
    ]
    assert [len(plan.statements) for plan in plain.operations] == [1, 3, 0]
    assert plain.closing == ()
    assert at(postgresql, stages_on, "0002_more") == Collected(operations=())


def test_python_and_sql_are_shown_as_they_are(
    shop: Workshop, make_app: MakeApp, stages_on: StagesOn
) -> None:
    """A function with its file and line, its own SQL without its values; RunSQL with its own."""
    folder = make_app(
        "shop",
        m0001_initial="""
            import uuid

            def fill(apps, schema_editor, word="x"):
                schema_editor.execute("SELECT %s", [uuid.uuid4().hex])

            class Migration(migrations.Migration):
                operations = [
                    migrations.RunPython(fill, migrations.RunPython.noop),
                    migrations.SeparateDatabaseAndState(
                        database_operations=[migrations.RunPython(fill)],
                    ),
                    migrations.RunSQL([("SELECT %s, '%%'", ["it's"]), "SELECT 'a%b'"]),
                ]""",
    )
    collected = at(shop, stages_on, "0001_initial")
    python = "-- Python: fill(apps, schema_editor), shop/migrations/0001_initial.py:7"
    assert [plan.statements for plan in collected.operations] == [
        (python, "SELECT %s;"),
        (python, "SELECT %s;"),
        ("SELECT 'it''s', '%';", "SELECT 'a%b';"),
    ]
    assert collected.operations[0].description == "Raw Python operation"
    assert folder.is_dir()


def test_functions_of_all_kinds() -> None:
    """A partial, an object that is called, a class and a builtin have a name."""

    class Filling:
        def __call__(self, apps: object, schema_editor: object) -> None:
            """Fill."""

    place = "tests/ops/schema/review/sql/test_statements.py"
    assert called(functools.partial(statements, None)).startswith(
        "statements(apps, schema_editor), ops/src/django_runbook/schema/review/sql/statements.py:"
    )
    assert f", {place}:" in called(Filling())
    assert f", {place}:" in called(Filling)
    assert called(print) == "print(apps, schema_editor)"
    assert called(lambda _apps, _editor: None).startswith("test_functions_of_all_kinds.<locals>")


FIELDS = {
    "token": "models.UUIDField(default=uuid.uuid4)",
    "number": "models.IntegerField(default=lambda: random.randrange(10**9))",
    "moment": "models.DateTimeField(default=timezone.now)",
    "day": "models.DateField(default=datetime.date.today)",
    "made": "models.DateTimeField(auto_now_add=True)",
    "fixed": "models.IntegerField(default=7)",
    "items": "models.JSONField(default=list)",
    "word": "models.CharField(max_length=9, default=lambda: 'abc')",
}


@pytest.mark.slow
def test_values_that_vary(shop: Workshop, make_app: MakeApp, stages_on: StagesOn) -> None:
    """Two runs give the same text: what is random or the clock's varies, what is fixed is shown."""
    body = "".join(
        f'migrations.AddField("item", "{name}", {field}, preserve_default=False),'
        for name, field in FIELDS.items()
    )
    make_app(
        "shop",
        m0001_initial="""[
            migrations.CreateModel("Item", [("id", models.BigAutoField(primary_key=True))]),
            migrations.RunSQL("INSERT INTO shop_item (id) VALUES (1)"),
        ]""",
        m0002_more=f"""
            import datetime
            import random
            import uuid

            from django.utils import timezone

            def see(apps, schema_editor):
                assert type(apps.get_model("shop", "Item").objects.get().number) is int

            class Migration(migrations.Migration):
                dependencies = [("shop", "0001_initial")]
                operations = [{body} migrations.RunPython(see)]""",
    )
    collected = at(shop, stages_on, "0002_more")
    assert collected.error == ""  # the database got the values
    assert collected == at(shop, stages_on, "0002_more")
    text = {
        name: " ".join(plan.statements)
        for name, plan in zip(FIELDS, collected.operations, strict=False)
    }
    varying = {name for name, sql in text.items() if "'<varies>'" in sql}
    assert varying == {"token", "number", "moment", "day", "made"}, text
    assert ("'[]'" in text["items"], "'abc'" in text["word"], " 7 " in text["fixed"]) == (
        True,
        True,
        True,
    )


def test_sqlite_remakes_its_table(
    scratch_server: None, make_app: MakeApp, stages_on: StagesOn
) -> None:
    """The new table, the copying, the dropping and the renaming are all shown, and run."""
    make_app(
        "shop",
        m0001_initial="""[migrations.CreateModel("Item", [
            ("id", models.BigAutoField(primary_key=True)), ("code", models.IntegerField())])]""",
        m0002_text="""[migrations.AlterField("item", "code", models.TextField(db_index=True))]""",
    )
    with workshop("sqlite", "default") as made:
        collected = at(made, stages_on, "0002_text")
    assert flat(collected) == [
        (
            'CREATE TABLE "new__shop_item" ("id" integer NOT NULL PRIMARY KEY AUTOINCREMENT, '
            '"code" text NOT NULL);'
        ),
        'INSERT INTO "new__shop_item" ("id", "code") SELECT "id", "code" FROM "shop_item";',
        'DROP TABLE "shop_item";',
        'ALTER TABLE "new__shop_item" RENAME TO "shop_item";',
        'CREATE INDEX "shop_item_code_7fe3372d" ON "shop_item" ("code");',
    ]


def test_failure_in_the_middle(shop: Workshop, make_app: MakeApp, stages_on: StagesOn) -> None:
    """What ran before it is shown, with the operation, and no address; the stage is as it was."""
    make_app(
        "shop",
        m0001_initial="""
            def fail(apps, schema_editor):
                raise ValueError(f"no {object()} here\\nmore")

            class Migration(migrations.Migration):
                operations = [
                    migrations.CreateModel("T", [("id", models.BigAutoField(primary_key=True))]),
                    migrations.RunPython(fail),
                    migrations.RunSQL("SELECT 1"),
                ]""",
    )
    with stages_on(shop).before(("shop", "0001_initial")) as stage:
        collected = statements(stage)
        assert connections["default"].introspection.table_names() == []
    assert (collected.failed, collected.error) == (1, "ValueError: no <object object> here")
    assert [len(plan.statements) for plan in collected.operations] == [1, 1, 0]


def test_not_atomic(postgresql: Workshop, make_app: MakeApp, stages_on: StagesOn) -> None:
    """An index made concurrently is shown, without a transaction; the stage is as it was."""
    make_app(
        "shop",
        m0001_initial="""[migrations.CreateModel("Item", [
            ("id", models.BigAutoField(primary_key=True)), ("code", models.IntegerField())])]""",
        m0002_index="""
            from django.contrib.postgres.operations import AddIndexConcurrently

            class Migration(migrations.Migration):
                atomic = False
                dependencies = [("shop", "0001_initial")]
                operations = [
                    AddIndexConcurrently("item", models.Index(fields=["code"], name="by_code")),
                ]""",
        m0003_index_atomic="""
            from django.contrib.postgres.operations import AddIndexConcurrently

            class Migration(migrations.Migration):
                dependencies = [("shop", "0002_index")]
                operations = [
                    AddIndexConcurrently("item", models.Index(fields=["code"], name="by_id")),
                ]""",
    )
    stages = stages_on(postgresql)
    with stages.before(("shop", "0002_index")) as stage:
        assert flat(statements(stage)) == [
            'CREATE INDEX CONCURRENTLY "by_code" ON "shop_item" ("code");'
        ]
        with stage.connection.cursor() as cursor:
            found = stage.connection.introspection.get_constraints(cursor, "shop_item")
        assert "by_code" not in found
    with stages.before(("shop", "0003_index_atomic")) as stage:
        failed = statements(stage)
    assert (failed.failed, failed.error) == (
        0,
        (
            "NotSupportedError: The AddIndexConcurrently operation cannot be executed inside a "
            "transaction (set atomic = False on the migration)"
        ),
    )
