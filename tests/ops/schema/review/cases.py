"""What a labelled migration is, and how an app is made of it."""

import importlib.util
from dataclasses import dataclass
from pathlib import Path
from textwrap import dedent

from django.db.migrations.migration import Migration
from django.db.migrations.state import ProjectState

from tests.ops.schema.conftest import HEAD, MakeApp, _file

BASE = """[
    migrations.CreateModel("Shelf", [
        ("id", models.BigAutoField(primary_key=True)),
        ("code", models.IntegerField(null=True)),
    ]),
    migrations.CreateModel("Thing", [
        ("id", models.BigAutoField(primary_key=True)),
        ("name", models.CharField(max_length=50)),
        ("note", models.CharField(max_length=50, null=True)),
        ("amount", models.IntegerField()),
        ("price", models.DecimalField(max_digits=8, decimal_places=2, null=True)),
        ("rank", models.IntegerField(db_default=1)),
        ("kind", models.CharField(max_length=9, db_index=True, null=True)),
        ("shelf", models.ForeignKey("LABEL.Shelf", models.CASCADE, null=True)),
        ("seen", models.ManyToManyField("LABEL.Shelf", related_name="+")),
    ]),
]"""


@dataclass(frozen=True, kw_only=True)
class Case:
    """One migration, and what is to be found in it.

    ``rule`` is the danger, empty where it is harmless; ``also`` the rules that rightly find more.
    ``earlier`` are the migrations before it, ``text`` is its own: see ``make_app``. ``runs`` is
    whether it can be applied at all to tables without rows.
    """

    name: str
    text: str
    rule: str = ""
    also: tuple[str, ...] = ()
    earlier: tuple[str, ...] = (BASE,)
    runs: bool = True

    @property
    def rules(self) -> set[str]:
        """Return all rules that are to be found, as warnings or dangers."""
        return {self.rule, *self.also} - {""}


def whole(operations: str, *, head: str = "", atomic: bool = True, number: int = 1) -> str:
    """Return the text of a migration with imports or functions, or that is not atomic."""
    return (
        f"{dedent(head).strip()}\n\n\n"
        f"class Migration(migrations.Migration):\n"
        f"    atomic = {atomic}\n"
        f"    dependencies = [('LABEL', '{number:04}_step')]\n"
        f"    operations = {operations.strip()}\n"
    )


def python(body: str, *more: str, head: str = "", reverse: bool = True) -> str:
    """Return a migration that runs a function with this body; ``more`` are operations after it."""
    lines = "\n".join(f"    {line}" for line in dedent(body).strip().splitlines())
    undo = ", migrations.RunPython.noop" if reverse else ""
    return whole(
        f"[migrations.RunPython(change{undo}), {', '.join(more)}]",
        head=f"{dedent(head).strip()}\n\n\ndef change(apps, schema_editor):\n{lines}",
    )


def install(case: Case, make_app: MakeApp, label: str = "shop") -> tuple[str, str]:
    """Install the app of a case; return the key of the migration to be judged."""
    texts = [*case.earlier, case.text]
    files = {
        f"m{number:04}_step": text.replace("LABEL", label)
        for number, text in enumerate(texts, start=1)
    }
    make_app(label, **files)
    return label, f"{len(texts):04}_step"


def built(case: Case, folder: Path, label: str = "shop") -> tuple[Migration, ProjectState]:
    """Return the migration of a case, and the state before it, without installing an app."""
    state = ProjectState()
    before = ""
    for number, text in enumerate([*case.earlier, case.text], start=1):
        name = f"{number:04}_step"
        file = folder / f"{name}.py"
        file.write_text(HEAD + _file(label, before, dedent(text.replace("LABEL", label)).strip()))
        spec = importlib.util.spec_from_file_location(f"{label}_{name}", file)
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        migration = module.Migration(name, label)
        if number <= len(case.earlier):
            state = migration.mutate_state(state)
        before = name
    return migration, state
