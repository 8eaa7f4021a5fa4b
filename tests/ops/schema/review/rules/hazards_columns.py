"""Dangerous changes of names and columns, each with the rule that must find it."""

from tests.ops.schema.review.cases import Case, whole

NAMES = (
    Case(
        name="rename field",
        rule="rename-column",
        text="[migrations.RenameField('thing', 'name', 'title')]",
    ),
    Case(
        name="other db_column",
        rule="rename-column",
        text="""[migrations.AlterField(
            "thing", "name", models.CharField(max_length=50, db_column="title"))]""",
    ),
    Case(
        name="rename model",
        rule="rename-table",
        also=("rename-column",),
        text="[migrations.RenameModel('Thing', 'Item')]",
    ),
    Case(
        name="rename model, not its table, but that of its many-to-many field",
        rule="rename-column",
        text="""[
            migrations.AlterModelTable("shelf", "LABEL_shelf"),
            migrations.RenameModel("Shelf", "Rack"),
        ]""",
    ),
    Case(
        name="other db_table",
        rule="rename-table",
        text="[migrations.AlterModelTable('thing', 'items')]",
    ),
    Case(
        name="remove field",
        rule="drop-column",
        text="[migrations.RemoveField('thing', 'note')]",
    ),
    Case(
        name="remove field, in the database alone",
        rule="drop-column",
        text="""[migrations.SeparateDatabaseAndState(
            database_operations=[migrations.RemoveField('thing', 'name')],
            state_operations=[migrations.RemoveField('thing', 'name')])]""",
    ),
    Case(
        name="delete model",
        rule="drop-table",
        text="[migrations.DeleteModel('Thing')]",
    ),
    Case(
        name="remove many-to-many",
        rule="drop-table",
        text="[migrations.RemoveField('thing', 'seen')]",
    ),
    Case(
        name="delete model that others refer to",
        rule="drop-referenced",
        also=("drop-table",),
        text="[migrations.DeleteModel('Shelf')]",
    ),
    Case(
        name="forget a field that is NOT NULL",
        rule="hidden-not-null",
        text="""[migrations.SeparateDatabaseAndState(
            state_operations=[migrations.RemoveField('thing', 'name')])]""",
    ),
    Case(
        name="many-to-many to another model",
        rule="alter-many-to-many",
        text="[migrations.RenameField('thing', 'seen', 'viewed')]",
    ),
)

COLUMNS = (
    Case(
        name="add NOT NULL with a default",
        rule="add-not-null",
        text="[migrations.AddField('thing', 'size', models.BigIntegerField(default=0))]",
    ),
    Case(
        name="add NOT NULL without a default",
        rule="add-not-null",
        text="[migrations.AddField('thing', 'size', models.BigIntegerField())]",
    ),
    Case(
        name="add NOT NULL with a default for once",
        rule="add-not-null",
        text="""[migrations.AddField(
            "thing", "size", models.BigIntegerField(default=0), preserve_default=False)]""",
    ),
    Case(
        name="order with respect to",
        rule="add-not-null",
        text="[migrations.AlterOrderWithRespectTo('thing', 'shelf')]",
    ),
    Case(
        name="one default for a unique column",
        rule="unique-default",
        also=("add-unique", "add-not-null"),
        text=whole(
            "[migrations.AddField('thing', 'key', models.UUIDField("
            "default=uuid.uuid4, unique=True))]",
            head="import uuid",
        ),
    ),
    Case(
        name="default that differs for each row",
        rule="add-volatile-default",
        text=whole(
            "[migrations.AddField('thing', 'luck', models.FloatField(db_default=Random()))]",
            head="from django.db.models.functions import Random",
        ),
    ),
    Case(
        name="stored generated column",
        rule="add-generated-column",
        text="""[migrations.AddField("thing", "twice", models.GeneratedField(
            expression=models.F("amount") * 2, output_field=models.IntegerField(),
            db_persist=True))]""",
    ),
    Case(
        name="drop the default in the database",
        rule="drop-db-default",
        text="[migrations.AlterField('thing', 'rank', models.IntegerField())]",
    ),
    Case(
        name="refuse NULL",
        rule="set-not-null",
        text="""[migrations.AlterField(
            "thing", "note", models.CharField(max_length=50, default=""))]""",
    ),
    Case(
        name="integer to bigint",
        rule="change-type",
        text="[migrations.AlterField('thing', 'amount', models.BigIntegerField())]",
    ),
    Case(
        name="shorter varchar",
        rule="change-type",
        text="[migrations.AlterField('thing', 'name', models.CharField(max_length=20))]",
    ),
    Case(
        name="fewer decimals",
        rule="change-type",
        text="""[migrations.AlterField("thing", "price", models.DecimalField(
            max_digits=8, decimal_places=1, null=True))]""",
    ),
)
