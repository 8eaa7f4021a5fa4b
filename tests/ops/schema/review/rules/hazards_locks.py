"""Dangerous indexes, constraints and transactions, each with the rule that must find it."""

from tests.ops.schema.review.cases import Case, python, whole
from tests.ops.schema.review.rules.hazards_rows import THING

CONCURRENTLY = "from django.contrib.postgres.operations import AddIndexConcurrently"
INDEX = "models.Index(fields=['amount'], name='by_amount')"
CHECK = "models.CheckConstraint(condition=models.Q(amount__gt=0), name='positive')"
SPANS = """[
    migrations.CreateModel("Span", [
        ("id", models.BigAutoField(primary_key=True)),
        ("span", django.contrib.postgres.fields.IntegerRangeField()),
    ]),
]"""

INDEXES = (
    Case(
        name="add index",
        rule="add-index",
        text=f"[migrations.AddIndex('thing', {INDEX})]",
    ),
    Case(
        name="db_index",
        rule="add-index",
        text="[migrations.AlterField('thing', 'amount', models.IntegerField(db_index=True))]",
    ),
    Case(
        name="add foreign key",
        rule="add-index",
        text="""[migrations.AddField("thing", "place", models.ForeignKey(
            "LABEL.Shelf", models.CASCADE, null=True, related_name="+"))]""",
    ),
    Case(
        name="remove index",
        rule="remove-index",
        text="""[migrations.AlterField(
            "thing", "kind", models.CharField(max_length=9, null=True))]""",
    ),
    Case(
        name="integer to foreign key",
        rule="add-foreign-key",
        also=("rename-column", "change-type", "add-index"),
        text="""[migrations.AlterField("shelf", "code", models.ForeignKey(
            "LABEL.Thing", models.CASCADE, null=True, related_name="+"))]""",
    ),
    Case(
        name="unique",
        rule="add-unique",
        text="[migrations.AlterField('thing', 'amount', models.IntegerField(unique=True))]",
    ),
    Case(
        name="unique together",
        rule="add-unique",
        text="[migrations.AlterUniqueTogether('thing', {('name', 'amount')})]",
    ),
    Case(
        name="unique constraint",
        rule="add-unique",
        text="""[migrations.AddConstraint("thing", models.UniqueConstraint(
            fields=["name"], name="one_name"))]""",
    ),
    Case(
        name="unique constraint with a condition",
        rule="add-unique",
        text="""[migrations.AddConstraint("thing", models.UniqueConstraint(
            fields=["name"], condition=models.Q(amount=1), name="one_name"))]""",
    ),
    Case(
        name="check",
        rule="add-check",
        text=f"[migrations.AddConstraint('thing', {CHECK})]",
    ),
    Case(
        name="field with a check",
        rule="add-check",
        text="[migrations.AlterField('thing', 'amount', models.PositiveIntegerField())]",
    ),
    Case(
        name="exclusion",
        rule="add-exclusion",
        earlier=(
            whole(SPANS, head="import django.contrib.postgres.fields").replace(
                "dependencies = [('LABEL', '0001_step')]", ""
            ),
        ),
        text=whole(
            "[migrations.AddConstraint('span', ExclusionConstraint(\n"
            "    name='apart', expressions=[('span', '&&')]))]",
            head="from django.contrib.postgres.constraints import ExclusionConstraint",
        ),
    ),
)

TRANSACTIONS = (
    Case(
        name="concurrently in a transaction",
        rule="concurrently-in-transaction",
        text=whole(f"[AddIndexConcurrently('thing', {INDEX})]", head=CONCURRENTLY),
        runs=False,
    ),
    Case(
        name="concurrently in a transaction, by SQL",
        rule="concurrently-in-transaction",
        text="""[migrations.RunSQL(
            "CREATE INDEX CONCURRENTLY by_amount ON LABEL_thing (amount)",
            "DROP INDEX by_amount")]""",
        runs=False,
    ),
    Case(
        name="several operations without a transaction",
        rule="half-state",
        text=whole(
            "[migrations.AddField('thing', 'size', models.BigIntegerField(null=True)),\n"
            f"AddIndexConcurrently('thing', {INDEX})]",
            head=CONCURRENTLY,
            atomic=False,
        ),
    ),
    Case(
        name="validated where it is added",
        rule="validate-with-add",
        text=whole(
            f"[AddConstraintNotValid('thing', {CHECK}), ValidateConstraint('thing', 'positive')]",
            head="from django.contrib.postgres.operations import (\n"
            "    AddConstraintNotValid, ValidateConstraint)",
        ),
    ),
    Case(
        name="rows, then schema",
        rule="mixed-data-and-schema",
        text=python(
            THING + "Thing.objects.filter(pk__lt=100, name='').update(name='none')",
            "migrations.AddField('thing', 'size', models.BigIntegerField(null=True))",
        ),
    ),
    Case(
        name="rows, then another type",
        rule="mixed-data-and-schema",
        also=("change-type",),
        text=python(
            THING + "Thing.objects.filter(pk__lt=100, name='').update(name='none')",
            "migrations.AlterField('thing', 'amount', models.BigIntegerField())",
        ),
    ),
    Case(
        name="schema, then rows by SQL",
        rule="mixed-data-and-schema",
        text="""[
            migrations.AddField("thing", "size", models.BigIntegerField(null=True)),
            migrations.RunSQL("UPDATE LABEL_thing SET size = 1 WHERE id < 9", "SELECT 1"),
        ]""",
    ),
    Case(
        name="no way back",
        rule="irreversible",
        text=python("pass", reverse=False),
    ),
    Case(
        name="no way back from SQL",
        rule="irreversible",
        text="[migrations.RunSQL('SELECT 1')]",
    ),
    Case(
        name="field that is not there",
        rule="broken-state",
        text="[migrations.RemoveField('thing', 'nothing')]",
        runs=False,
    ),
)
