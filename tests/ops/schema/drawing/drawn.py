"""A repository whose models have every kind of relation, and the text of a small graph."""

import textwrap
from dataclasses import dataclass
from pathlib import Path

import pytest

from django_runbook.tasks import graph as tasks
from tests.commands import BIN, Commands, Done

FILES = {
    "pyproject.toml": '[tool.django-runbook]\nmanage = "backend/manage.py"\n',
    "tasks.py": """\
        from pathlib import Path

        from django_runbook.tasks import kit
        from django_runbook.tasks.graph import graph

        ns = kit(Path(__file__).resolve().parent)
        ns.add_task(graph)
        """,
    "backend/manage.py": """\
        import sys
        from pathlib import Path

        from django_runbook.manage import main

        sys.path.append(str(Path(__file__).resolve().parents[1] / "tools/site-packages"))
        main("settings")
        """,
    "backend/settings.py": """\
        AUTH_USER_MODEL = "shop.Customer"
        DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
        INSTALLED_APPS = [
            "shop",
            "vendor",
            "django.contrib.auth",
            "django.contrib.contenttypes",
            "django.contrib.staticfiles",
            "django_runbook.schema",
        ]
        """,
    "backend/shop/__init__.py": "",
    "backend/shop/models.py": """\
        from django.contrib.auth.models import AbstractBaseUser
        from django.contrib.contenttypes.models import ContentType
        from django.db import models


        class Dated(models.Model):
            added = models.DateField()
            by = models.ForeignKey("shop.Customer", on_delete=models.CASCADE, related_name="+")

            class Meta:
                abstract = True


        class Customer(AbstractBaseUser):
            friend = models.ForeignKey("self", null=True, on_delete=models.SET_NULL)


        class Product(Dated):
            code = models.CharField(max_length=9, primary_key=True)
            kind = models.ForeignKey(ContentType, on_delete=models.CASCADE)
            buyers = models.ManyToManyField(Customer, through="Order")
            similar = models.ManyToManyField("self")


        class Book(Product):
            pages = models.IntegerField()


        class Novel(Book):
            sequel = models.OneToOneField("self", null=True, on_delete=models.SET_NULL)


        class Bargain(Product):
            class Meta:
                proxy = True


        class Order(models.Model):
            customer = models.ForeignKey(Customer, on_delete=models.CASCADE)
            product = models.ForeignKey(Product, on_delete=models.CASCADE)
        """,
    "tools/site-packages/vendor/__init__.py": "",
    "tools/site-packages/vendor/models.py": """\
        from django.db import models


        class Widget(models.Model):
            pass
        """,
}
DOT = """\
digraph models {
    graph [bgcolor="white" fontname="Helvetica" fontsize=11]
    graph [nodesep=0.35 pad=0.2 rankdir=LR ranksep=0.8]
    node [fontname="Helvetica" fontsize=10 shape=plain]
    edge [arrowsize=0.8 color="#6e7781"]
    subgraph "cluster_shop" {
        graph [color="#d0d7de" fillcolor="#f6f8fa" fontcolor="#57606a" label="shop" labeljust=l \
margin=14 style="filled,rounded"]
        "shop.Order" [label=<<TABLE BORDER="1" CELLBORDER="0" CELLPADDING="4" CELLSPACING="0" \
COLOR="#8c959f" BGCOLOR="white">
            <TR><TD ALIGN="LEFT" BGCOLOR="#3d5a80" COLSPAN="2" PORT="model" WIDTH="41">\
<FONT COLOR="white" FACE="Helvetica-Bold">Order</FONT></TD></TR>
            <TR><TD ALIGN="LEFT" WIDTH="20"><FONT FACE="Helvetica-Bold">id</FONT></TD>\
<TD ALIGN="LEFT" PORT="id_" WIDTH="62"><FONT COLOR="#6e7781">AutoField</FONT></TD></TR>
            <TR><TD ALIGN="LEFT" WIDTH="32">user</TD>\
<TD ALIGN="LEFT" PORT="user_" WIDTH="101"><FONT COLOR="#6e7781">ForeignKey, null</FONT></TD></TR>
        </TABLE>>]
        "shop.Late" [label=<<TABLE BORDER="1" CELLBORDER="0" CELLPADDING="4" CELLSPACING="0" \
COLOR="#8c959f" BGCOLOR="white">
            <TR><TD ALIGN="LEFT" BGCOLOR="#3d5a80" COLSPAN="2" PORT="model" WIDTH="84">\
<FONT COLOR="white" FACE="Helvetica-Bold">Late (proxy)</FONT></TD></TR>
        </TABLE>>]
    }
    "auth.User" [color="#8c959f" fontcolor="#6e7781" height=0.3 shape=box style="dashed,rounded" \
width=0.96]
    "shop.Order":"user_":e -> "auth.User":w [arrowhead=teeodot arrowtail=crow dir=both]
    "shop.Late":model:e -> "shop.Order":model:w [arrowhead=onormal style=dashed]
}
"""


@dataclass(frozen=True)
class Shop:
    """Another repository, in a folder with a space in its name; no `dot` is on its PATH."""

    root: Path
    commands: Commands

    def inv(self, *argv: str, **extra: str | None) -> Done:
        """Run its `inv`."""
        extra = {"PATH": str(BIN), **extra}
        return self.commands.run(BIN / "inv", *argv, cwd=self.root, **extra)

    def wrote(self, name: str, *argv: str) -> Path:
        """Return the picture that a task must have written."""
        output = () if name == tasks.DEFAULT else ("--output", name)
        done = self.inv("graph", *argv, *output)
        assert (done.code, done.out, done.err) == (0, f"Wrote {name}\n", "")
        return self.root / name


@pytest.fixture(name="shop")
def shop_fixture(tmp_path: Path) -> Shop:
    """Return the repository, with nothing drawn yet."""
    root = tmp_path / "a shop"
    for name, text in FILES.items():
        file = root / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(textwrap.dedent(text))
    return Shop(root, Commands(tmp_path))
