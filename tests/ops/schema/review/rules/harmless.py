"""Harmless migrations, many of which linters take for dangerous."""

from tests.ops.schema.review.cases import BASE, Case, python, whole

ALONE = """[
    migrations.CreateModel("Span", [("id", models.BigAutoField(primary_key=True))]),
]"""

HARMLESS = (
    Case(
        name="new table with all that it needs",
        text="""[
            migrations.CreateModel("Box", [
                ("id", models.BigAutoField(primary_key=True)),
                ("name", models.CharField(max_length=9, unique=True)),
                ("thing", models.ForeignKey("LABEL.Thing", models.CASCADE)),
            ], options={"unique_together": {("name", "thing")}}),
            migrations.AddIndex("box", models.Index(fields=["name"], name="box_name")),
            migrations.AddConstraint("box", models.CheckConstraint(
                condition=~models.Q(name=""), name="box_named")),
        ]""",
    ),
    Case(
        name="new table that changes at once",
        text="""[
            migrations.CreateModel("Box", [
                ("id", models.BigAutoField(primary_key=True)),
                ("things", models.ManyToManyField("LABEL.Thing")),
            ]),
            migrations.AddField("box", "size", models.IntegerField(default=1)),
            migrations.RenameField("box", "size", "width"),
            migrations.AlterField("box", "width", models.BigIntegerField(unique=True)),
            migrations.RenameModel("Box", "Crate"),
            migrations.RemoveField("crate", "width"),
        ]""",
    ),
    Case(
        name="new table that is filled",
        text=python("apps.get_model('LABEL', 'Box').objects.create(pk=1)", reverse=True).replace(
            "[migrations.RunPython",
            "[migrations.CreateModel('Box', [('id', models.BigAutoField(primary_key=True))]), "
            "migrations.RunPython",
        ),
    ),
    Case(
        name="add nullable field",
        text="[migrations.AddField('thing', 'size', models.BigIntegerField(null=True))]",
    ),
    Case(
        name="add nullable field with a default",
        text="[migrations.AddField('thing', 'size', models.IntegerField(null=True, default=1))]",
    ),
    Case(
        name="add field with a default in the database",
        text="[migrations.AddField('thing', 'size', models.BigIntegerField(db_default=0))]",
    ),
    Case(
        name="add field with the time of the migration",
        text=whole(
            "[migrations.AddField('thing', 'made', models.DateTimeField(db_default=Now()))]",
            head="from django.db.models.functions import Now",
        ),
    ),
    Case(
        name="longer varchar",
        text="[migrations.AlterField('thing', 'name', models.CharField(max_length=99))]",
    ),
    Case(
        name="varchar to text",
        text="[migrations.AlterField('thing', 'name', models.TextField())]",
    ),
    Case(
        name="more digits",
        text="""[migrations.AlterField("thing", "price", models.DecimalField(
            max_digits=12, decimal_places=2, null=True))]""",
    ),
    Case(
        name="allow NULL",
        text="[migrations.AlterField('thing', 'amount', models.IntegerField(null=True))]",
    ),
    Case(
        name="words alone",
        text="""[
            migrations.AlterField("thing", "amount", models.IntegerField(
                default=3, verbose_name="how many", choices=[(1, "one")])),
            migrations.AlterModelOptions("thing", {"ordering": ["name"]}),
            migrations.AlterField("thing", "shelf", models.ForeignKey(
                "LABEL.Shelf", models.SET_NULL, null=True)),
        ]""",
    ),
    Case(
        name="fewer unique together",
        earlier=(
            """[migrations.CreateModel(
                "Pair",
                [
                    ("id", models.BigAutoField(primary_key=True)),
                    ("a", models.IntegerField()),
                    ("b", models.IntegerField()),
                    ("c", models.IntegerField()),
                ],
                options={"unique_together": {("a", "b"), ("b", "c")}},
            )]""",
        ),
        text="[migrations.AlterUniqueTogether('pair', {('a', 'b')})]",
    ),
    Case(
        name="add many-to-many",
        text="""[migrations.AddField(
            "thing", "places", models.ManyToManyField("LABEL.Shelf", related_name="+"))]""",
    ),
    Case(
        name="index concurrently",
        text=whole(
            "[AddIndexConcurrently('thing', models.Index(fields=['amount'], name='by_amount'))]",
            head="from django.contrib.postgres.operations import AddIndexConcurrently",
            atomic=False,
        ),
    ),
    Case(
        name="check that is not validated",
        text=whole(
            "[AddConstraintNotValid('thing', models.CheckConstraint(\n"
            "    condition=models.Q(amount__gt=0), name='positive'))]",
            head="from django.contrib.postgres.operations import AddConstraintNotValid",
        ),
    ),
    Case(
        name="rename field, not its column",
        text="""[
            migrations.AlterField("thing", "name", models.CharField(
                max_length=50, db_column="name")),
            migrations.RenameField("thing", "name", "title"),
        ]""",
    ),
    Case(
        name="rename model, not its table",
        earlier=(ALONE,),
        text="""[
            migrations.AlterModelTable("span", "LABEL_span"),
            migrations.RenameModel("Span", "Range"),
        ]""",
    ),
    Case(
        name="forget a nullable field",
        text="""[migrations.SeparateDatabaseAndState(
            state_operations=[migrations.RemoveField("thing", "note")])]""",
    ),
    Case(
        name="drop a column that was forgotten",
        earlier=(
            BASE,
            """[migrations.SeparateDatabaseAndState(
                state_operations=[migrations.RemoveField("thing", "note")])]""",
        ),
        text="[migrations.RunSQL('ALTER TABLE LABEL_thing DROP COLUMN note', 'SELECT 1')]",
    ),
    Case(
        name="rows, and words about another field",
        text=python(
            "apps.get_model('LABEL', 'Thing').objects.filter(pk=1).update(name='one')",
            "migrations.AlterField('thing', 'note', models.CharField(\n"
            "    max_length=50, null=True, verbose_name='remark'))",
        ),
    ),
    Case(
        name="rows in batches",
        text=python(
            """
            Thing = apps.get_model("LABEL", "Thing")
            things = Thing.objects.using(schema_editor.connection.alias)
            batch = []
            for thing in things.filter(name="").iterator(chunk_size=500):
                thing.name = "none"
                batch.append(thing)
            things.bulk_update(batch, ["name"], batch_size=500)
            """
        ),
    ),
    Case(
        name="a few rows of a list",
        text=python(
            """
            Shelf = apps.get_model("LABEL", "Shelf")
            for code in (1, 2, 3):
                Shelf.objects.get_or_create(code=code)
            """
        ),
    ),
    Case(
        name="words of danger in a function's body",
        text='''[migrations.RunSQL("""
            -- DROP TABLE LABEL_thing
            CREATE FUNCTION LABEL_touch() RETURNS trigger AS $$
            BEGIN
                UPDATE LABEL_thing SET amount = 1;
                ALTER TABLE LABEL_thing DROP COLUMN note;
                RETURN NEW;
            END $$ LANGUAGE plpgsql;
        """, "DROP FUNCTION LABEL_touch")]''',
    ),
)
