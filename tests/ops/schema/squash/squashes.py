"""Squashed files that tests write by hand, right ones and wrong ones."""

from pathlib import Path
from textwrap import dedent, indent

from django_runbook.schema.squash.squash_plan import Segment, SquashPlan
from tests.ops.schema.conftest import HEAD, MakeApp

MODEL = 'migrations.CreateModel("{}", [("id", models.BigAutoField(primary_key=True))]),'
NAMES = ("0001_initial", "0002_more", "0003_last")


def segment(
    folder: Path, names: str, operations: str, *, more: str = "", code: str = ""
) -> Segment:
    """Return a squashed file of the app in ``folder``.

    ``names`` are those that it replaces, ``operations`` the items of its list, ``more`` other lines
    of the class, ``code`` what stands before it.
    """
    label, replaced = folder.parent.name, tuple(names.split())
    number = replaced[-1].partition("_")[0]
    name = f"{replaced[0].partition('_')[0]}_squashed_{number}"
    lines = [
        f"replaces = {[(label, each) for each in replaced]!r}",
        *dedent(more).strip().splitlines(),
        "operations = [",
        indent(dedent(operations).strip(), "    "),
        "]",
    ]
    text = f"{HEAD}{dedent(code)}\nclass Migration(migrations.Migration):\n"
    return Segment(
        app_label=label,
        name=name,
        names=replaced,
        file=folder / f"{name}.py",
        text=text + indent("\n".join(lines), "    ") + "\n",
        before=len(replaced),
        after=1,
    )


def plan(*segments: Segment, kept: tuple[str, ...] = ()) -> SquashPlan:
    """Return a plan of these files."""
    return SquashPlan(app_label=segments[0].app_label, segments=segments, kept=kept)


def three(make_app: MakeApp) -> tuple[Path, Segment]:
    """Install an app of three migrations, and return its squash."""
    models = [MODEL.format(name) for name in ("One", "Two", "Three")]
    folder = make_app(
        "shop", **{f"m{name}": f"[{model}]" for name, model in zip(NAMES, models, strict=True)}
    )
    return folder, segment(folder, " ".join(NAMES), "\n".join(models), more="initial = True")
