"""Dangerous code and SQL, each with the rule that must find it."""

from tests.ops.schema.review.cases import Case, python

THING = "Thing = apps.get_model('LABEL', 'Thing')\n"

ROWS = (
    Case(
        name="imports models",
        rule="imports-models",
        text=python(
            "str(Permission.objects.filter(codename='x').query)",
            head="from django.contrib.auth.models import Permission",
        ),
    ),
    Case(
        name="imports models inside the function",
        rule="imports-models",
        text=python(
            "from django.contrib.auth import models as auth\nstr(auth.Group.objects.all().query)"
        ),
    ),
    Case(
        name="global registry",
        rule="imports-models",
        text=python(
            "helper()",
            head="from django.apps import apps\n\n\ndef helper():\n"
            "    return str(apps.get_model('auth', 'Group').objects.all().query)",
        ),
    ),
    Case(
        name="loads all rows",
        rule="loads-whole-table",
        text=python(THING + "names = [thing.name for thing in Thing.objects.all()]"),
    ),
    Case(
        name="saves each row",
        rule="saves-row-by-row",
        text=python(
            THING
            + """things = Thing.objects.exclude(name="")
for thing in things.iterator():
    thing.amount += 1
    thing.save()"""
        ),
    ),
    Case(
        name="updates each row",
        rule="changes-whole-table",
        text=python(THING + "Thing.objects.update(amount=models.F('amount') + 1)"),
    ),
    Case(
        name="updates each row by SQL",
        rule="changes-whole-table",
        text="[migrations.RunSQL('UPDATE LABEL_thing SET amount = amount + 1', 'SELECT 1')]",
    ),
    Case(
        name="drops a column by SQL",
        rule="drop-column",
        text="[migrations.RunSQL('ALTER TABLE LABEL_thing DROP COLUMN note', 'SELECT 1')]",
    ),
    Case(
        name="drops a table by SQL",
        rule="drop-table",
        text="[migrations.RunSQL('DROP TABLE \"LABEL_thing_seen\"', 'SELECT 1')]",
    ),
    Case(
        name="renames a column by SQL",
        rule="rename-column",
        text="""[migrations.RunSQL(
            "ALTER TABLE LABEL_thing RENAME note TO remark", migrations.RunSQL.noop,
            state_operations=[migrations.RenameField("thing", "note", "remark")])]""",
    ),
    Case(
        name="renames a table by SQL",
        rule="rename-table",
        text="[migrations.RunSQL([('ALTER TABLE LABEL_thing RENAME TO item', None)], 'SELECT 1')]",
    ),
)
