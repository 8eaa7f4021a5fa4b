"""Rows of migrations that go wrong in one file, or do not; and the files that they become."""

from dataclasses import dataclass
from textwrap import dedent, indent

from django_runbook.schema.squash.squash_plan import SquashPlan
from tests.ops.schema.conftest import MakeApp

CODE = """
def nothing(apps, editor):
    pass


def insert(apps, editor):
    Thing = apps.get_model("shop", "Thing")
    Thing.objects.create(name="a", owner=apps.get_model("shop", "Owner").objects.create())


def owners(apps, editor):
    apps.get_model("shop", "Owner").objects.create()


def read(apps, editor):
    assert list(apps.get_model("shop", "Thing").objects.all()) is not None
"""


OWNER = 'migrations.CreateModel("Owner", [("id", models.BigAutoField(primary_key=True))])'


THING = """migrations.CreateModel("Thing", [
    ("id", models.BigAutoField(primary_key=True)), ("name", models.CharField({})),
    ("owner", models.ForeignKey("shop.Owner", models.CASCADE, null=True)),
], options={{{}}})"""


PLAIN = THING.format("max_length=9", "")


def run(code: str) -> str:
    """Return an operation that runs one of the functions."""
    return f"migrations.RunPython({code}, migrations.RunPython.noop)"


def change(name: str, field: str) -> str:
    """Return an operation that alters a field of the thing."""
    return f'migrations.AlterField("thing", "{name}", models.{field})'


def option(text: str) -> str:
    """Return the model with an option, and its owner."""
    return f"{OWNER}, {THING.format('max_length=9', text)}"


CONDITION = (
    '"constraints": [models.UniqueConstraint(fields=["name"], name="u", condition=models.Q(id=1))]'
)


NOT_YET = "while the foreign key and an index would not be made yet"


@dataclass(frozen=True, kw_only=True)
class Case:
    """The files that migrations become, and why; what one file is on PostgreSQL: other, or fails.

    ``names`` is what differs by its name alone in any case.
    """

    files: str
    one_file: str = ""
    reason: str = ""
    names: str = ""


CASES = {
    "an index that is removed": (
        [
            f"{OWNER}, {THING.format('max_length=9, db_index=True', '')}",
            run("nothing"),
            change("name", "CharField(max_length=9)"),
        ],
        Case(
            files="12 3",
            one_file="index index",
            reason="alters shop.thing.name, while an index would not be made yet",
        ),
    ),
    "the index of a unique text": (
        [
            f"{OWNER}, {THING.format('max_length=9, unique=True', '')}",
            run("nothing"),
            change("name", "CharField(max_length=9)"),
        ],
        Case(files="123"),
    ),
    "a foreign key that is dropped": (
        [
            f"{OWNER}, {PLAIN}",
            run("nothing"),
            change(
                "owner", 'ForeignKey("shop.Owner", models.CASCADE, null=True, db_constraint=False)'
            ),
        ],
        Case(
            files="12 3",
            one_file="constraint",
            reason=f"alters shop.thing.owner, {NOT_YET}",
        ),
    ),
    "the key that a foreign key means": (
        [
            f"{OWNER}, {PLAIN}",
            run("nothing"),
            'migrations.AlterField("owner", "id", models.AutoField(primary_key=True))'.replace(
                "UUIDField", "AutoField"
            ),
        ],
        Case(
            files="12 3",
            one_file="constraint",
            reason=f"alters shop.thing.owner, {NOT_YET}",
        ),
    ),
    "a constraint with a condition": (
        [option(CONDITION), run("nothing"), 'migrations.RemoveConstraint("thing", "u")'],
        Case(
            files="12 3",
            one_file="index",
            reason="alters shop.thing u, while it would not be made yet",
        ),
    ),
    "an index that is renamed": (
        [
            option('"indexes": [models.Index(fields=["name"], name="i")]'),
            run("nothing"),
            'migrations.RenameIndex("thing", new_name="j", old_name="i")',
        ],
        Case(
            files="12 3",
            one_file="fails",
            reason="alters shop.thing i, while it would not be made yet",
        ),
    ),
    "fields unique together": (
        [
            option('"unique_together": {("name", "owner")}'),
            run("nothing"),
            'migrations.AlterUniqueTogether("thing", set())',
        ],
        Case(
            files="12 3",
            one_file="fails",
            reason="alters shop.thing (name, owner), while it would not be made yet",
        ),
    ),
    "rows, then the table": (
        [
            f"{OWNER}, {PLAIN}",
            run("insert"),
            change("name", "TextField()"),
            run("insert"),
            change("name", "CharField(max_length=9)"),
        ],
        Case(files="12345"),
    ),
    "a new key, then rows": (
        [
            f"{OWNER}, {PLAIN}",
            run("nothing"),
            (
                'migrations.AddField("thing", "more", models.ForeignKey('
                '"shop.Owner", models.CASCADE, null=True, related_name="+"))'
            ),
            run("insert"),
        ],
        Case(files="1234"),
    ),
    "nothing that the database knows": (
        [
            f"{OWNER}, {THING.format('max_length=9, db_index=True', '')}",
            run("nothing"),
            change("name", 'CharField(max_length=9, db_index=True, help_text="x")'),
        ],
        Case(files="123", one_file=""),
    ),
    "an index that is dropped by its name": (
        [
            option('"indexes": [models.Index(fields=["name"], name="i")]'),
            run("nothing"),
            'migrations.RemoveIndex("thing", "i")',
        ],
        Case(files="123", one_file=""),
    ),
    "a column that is renamed or removed": (
        [
            f"{OWNER}, {THING.format('max_length=9, db_index=True', '')}",
            run("nothing"),
            (
                'migrations.RenameField("thing", "name", "word"),'
                'migrations.RemoveField("thing", "owner")'
            ),
            run("nothing"),
            'migrations.RenameModel("thing", "item")',
        ],
        Case(files="12345", names="names index names index"),
    ),
    "rows of another table": (
        [
            f"{OWNER}, {PLAIN}",
            run("read"),
            'migrations.AddField("thing", "a", models.TextField(default=""))',
            run("owners"),
            'migrations.AddField("thing", "b", models.TextField(default=""))',
        ],
        Case(files="12345", one_file=""),
    ),
}


def app_with(make_app: MakeApp, operations: list[str], code: str = CODE) -> None:
    """Install the app with migrations of these operations, of which each may use the functions."""
    texts = {}
    for number, text in enumerate(operations, 1):
        before = f'("shop", "{number - 1:04}")' if number > 1 else ""
        lines = f"dependencies = [{before}]\noperations = [{text}]"
        texts[f"m{number:04}"] = (
            f"{dedent(code)}\n\nclass Migration(migrations.Migration):\n{indent(lines, '    ')}"
        )
    make_app("shop", **texts)


def files(found: SquashPlan) -> str:
    """Return the migrations' numbers, those of one file together."""
    parts = [*(one.names for one in found.segments), *((name,) for name in found.kept)]
    return " ".join("".join(name[3] for name in names) for names in sorted(parts))
