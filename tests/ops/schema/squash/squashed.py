"""What tests of squashed files share: apps with code, and the comparison with their files."""

from textwrap import dedent

from django.db import migrations
from django.db.migrations.migration import Migration

from django_runbook.schema.history.graph import loaded
from django_runbook.schema.squash.plan.ranges import chain
from django_runbook.schema.squash.squash_plan import Segment
from django_runbook.schema.squash.write import roundtrip, staging
from django_runbook.schema.squash.write.replacement import segment

MODEL = """[migrations.CreateModel("Thing", [
    ("id", models.BigAutoField(primary_key=True)), ("name", models.CharField(max_length=9)),
])]"""


def squashed(label: str = "shop") -> tuple[Segment, Migration]:
    """Return the file that replaces all migrations of an app, and what it is when imported."""
    loader = loaded()
    made = segment(loader, label, chain(loader, label))
    return made, staging.staged(made)


def require_same(label: str = "shop") -> None:
    """Fail unless the file keeps every operation that is code, and leads to the same state."""
    loader = loaded()
    own = chain(loader, label)
    made, migration = squashed(label)
    kept = [one for old in own for one in old.operations if is_code(one)]
    assert [roundtrip.operation_text(one) for one in kept] == [
        roundtrip.operation_text(one) for one in migration.operations if is_code(one)
    ]
    for alone in (False, True):
        state = staging.loader([made], alone=alone).project_state()
        assert roundtrip.state_differences(loader.project_state(), state) == ()


def is_code(operation: object) -> bool:
    """Tell whether an operation is the author's own code."""
    django = type(operation).__module__.startswith("django.")
    return not django or isinstance(operation, migrations.RunPython | migrations.RunSQL)


def body(text: str) -> str:
    """Return the part of a file above its class."""
    return text.split("class Migration(", maxsplit=1)[0].strip()


def file(text: str, above: str = "", head: str = "", after: str = "0001_initial") -> str:
    """Return a migration that has these operations, with code above its class and in it."""
    dependencies = f'[("shop", "{after}")]' if after else "[]"
    lines = [*dedent(head).strip().splitlines(), f"dependencies = {dependencies}"]
    inside = "\n".join(f"    {line}" for line in lines)
    return (
        f"{dedent(above).strip()}\n\nclass Migration(migrations.Migration):\n{inside}\n"
        f"    operations = {dedent(text).strip()}\n"
    )
