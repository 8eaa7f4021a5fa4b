"""`inv graph`: a picture of the models, drawn without a system package and checked for its age."""

import os
import re
import struct
import sys
import textwrap
import zlib
from dataclasses import dataclass
from pathlib import Path
from xml.etree import ElementTree

import pytest
from django.core.management import CommandError, call_command
from invoke import Config, Context, Exit

from django_runbook.schema.drawing.formats import PADDING, dot, mermaid, width
from django_runbook.schema.drawing.relations import Box, Column, Graph, Kind, Relation
from django_runbook.tasks import graph as tasks
from tests.commands import BIN, ROOT, Commands, Done, write_program

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
MERMAID = """\
erDiagram
    shop_Bargain["shop.Bargain"]
    shop_Book["shop.Book"] {
        OneToOneField product_ptr PK, FK
        IntegerField pages
    }
    shop_Customer["shop.Customer"] {
        BigAutoField id PK
        CharField password
        DateTimeField last_login
        ForeignKey friend FK
    }
    shop_Novel["shop.Novel"] {
        OneToOneField book_ptr PK, FK
        OneToOneField sequel FK
    }
    shop_Order["shop.Order"] {
        BigAutoField id PK
        ForeignKey customer FK
        ForeignKey product FK
    }
    shop_Product["shop.Product"] {
        CharField code PK
        DateField added
        ForeignKey by FK
        ForeignKey kind FK
        ManyToManyField buyers
        ManyToManyField similar
    }
    contenttypes_ContentType["contenttypes.ContentType"]
    shop_Bargain |o--|| shop_Product : "inherits from"
    shop_Book |o--|| shop_Product : "inherits from"
    shop_Customer }o--o| shop_Customer : "friend"
    shop_Novel |o--o| shop_Novel : "sequel"
    shop_Novel |o--|| shop_Book : "inherits from"
    shop_Order }o--|| shop_Customer : "customer"
    shop_Order }o--|| shop_Product : "product"
    shop_Product }o--|| shop_Customer : "by"
    shop_Product }o--|| contenttypes_ContentType : "kind"
    shop_Product }o--o{ shop_Product : "similar"
"""
PRODUCT = """\
erDiagram
    accounts_Account["accounts.Account"] {
        BigAutoField id PK
        OneToOneField user FK
        CharField status
        DateTimeField created
    }
    users_Profile["users.Profile"] {
        BigAutoField id PK
        OneToOneField user FK
        CharField display_name
    }
    users_User["users.User"] {
        BigAutoField id PK
        CharField password
        DateTimeField last_login
        BooleanField is_superuser
        CharField username
        CharField first_name
        CharField last_name
        EmailField email
        BooleanField is_staff
        BooleanField is_active
        DateTimeField date_joined
        ManyToManyField groups
        ManyToManyField user_permissions
    }
    auth_Group["auth.Group"]
    auth_Permission["auth.Permission"]
    accounts_Account |o--|| users_User : "user"
    users_Profile |o--|| users_User : "user"
    users_User }o--o{ auth_Group : "groups"
    users_User }o--o{ auth_Permission : "user_permissions"
"""
SMALL = Graph(
    boxes=(
        Box(
            app="shop",
            name="Order",
            proxy=False,
            columns=(
                Column(
                    name="id", kind="AutoField", primary_key=True, foreign_key=False, null=False
                ),
                Column(
                    name="user", kind="ForeignKey", primary_key=False, foreign_key=True, null=True
                ),
            ),
        ),
        Box(app="shop", name="Late", proxy=True, columns=()),
    ),
    others=("auth.User",),
    relations=(
        Relation(
            source="shop.Order", target="auth.User", field="user", kind=Kind.FOREIGN_KEY, null=True
        ),
        Relation(source="shop.Late", target="shop.Order", field="", kind=Kind.PARENT, null=False),
    ),
)
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


@pytest.fixture
def shop(tmp_path: Path) -> Shop:
    """Return the repository, with nothing drawn yet."""
    root = tmp_path / "a shop"
    for name, text in FILES.items():
        file = root / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(textwrap.dedent(text))
    return Shop(root, Commands(tmp_path))


@pytest.fixture
def context(tmp_path: Path) -> Context:
    """Return what a task of some repository is given."""
    return Context(Config(overrides={"runbook": {"root": str(tmp_path)}}))


def chunks(png: bytes) -> dict[str, bytes]:
    """Return the chunks of a PNG, each with the right check sum, and nothing behind the last."""
    assert png.startswith(b"\x89PNG\r\n\x1a\n")
    found, at = {}, 8
    while at < len(png):
        (length,) = struct.unpack_from(">I", png, at)
        named, (crc,) = (
            png[at + 4 : at + 8 + length],
            struct.unpack_from(">I", png, at + 8 + length),
        )
        assert zlib.crc32(named) == crc
        found[named[:4].decode()] = named[4:]
        at += 12 + length
    assert list(found)[-1] == "IEND"
    return found


@pytest.mark.slow
def test_mermaid_of_the_product(commands):
    """The whole text: the apps named, their fields, and the models elsewhere that they meet."""
    done = commands.manage(
        "model_graph", "--format=mermaid", "--app=users", "--app=accounts", DATABASE_URL="sqlite://"
    )
    assert (done.code, done.out, done.err) == (0, PRODUCT, "")


@pytest.mark.slow
def test_own_apps_and_every_kind_of_relation(shop):
    """Without --app: what lies below the root and is not installed there; no abstract base."""
    file = shop.wrote("models.mmd")
    assert file.read_text() == MERMAID
    assert (
        shop.inv("graph", "--output=models.mmd").out == "models.mmd shows the models as they are\n"
    )


def test_dot_of_a_small_graph():
    """The whole text: a cluster, a table with a port for each row, a proxy, a model elsewhere."""
    assert dot(SMALL) == DOT


def test_mermaid_of_no_relations():
    """A model alone is a diagram too."""
    alone = Graph(boxes=SMALL.boxes[:1], others=(), relations=())
    assert mermaid(alone).count("\n") == 5


def test_svg_is_drawn_and_nothing_is_clipped(shop):
    """docs/models.svg without any `dot`; each text has room in its cell in the widest font."""
    file = shop.wrote("docs/models.svg")
    svg = "{http://www.w3.org/2000/svg}"
    tree = ElementTree.parse(file)
    texts = [text.text for text in tree.iter(f"{svg}text")]
    assert {"shop", "Customer", "Bargain (proxy)", "contenttypes.ContentType"} <= set(texts)
    assert "OneToOneField, null" in texts
    nodes = [group for group in tree.iter(f"{svg}g") if group.get("class") == "node"]
    titles = [node.find(f"{svg}title").text for node in nodes]
    models = ["Bargain", "Book", "Customer", "Novel", "Order", "Product"]
    assert sorted(titles) == ["contenttypes.ContentType", *(f"shop.{name}" for name in models)]
    for node in nodes:
        if node.find(f"{svg}polygon") is None:
            continue  # a model elsewhere, whose name stands in the middle
        points = " ".join(shape.get("points") for shape in node.iter(f"{svg}polygon"))
        right = max(map(float, re.findall(r"([-\d.]+),", points)))
        room = dict.fromkeys((text.get("y") for text in node.iter(f"{svg}text")), right)
        for text in reversed(list(node.iter(f"{svg}text"))):  # a row's type, then its name
            start, bold = float(text.get("x")), text.get("font-weight") == "bold"
            assert start + width(text.text, bold=bold) < room[text.get("y")]
            room[text.get("y")] = start - PADDING
    assert list(file.parent.iterdir()) == [file]


@pytest.mark.slow
def test_png_is_one(shop):
    """A readable PNG of a sensible size, which holds more than background."""
    found = chunks(shop.wrote("models.png").read_bytes())
    across, down = struct.unpack(">II", found["IHDR"][:8])
    assert 800 < across < 4000
    assert 400 < down < 3000
    assert len(found["IDAT"]) > 10_000
    assert found["tEXt"].startswith(b"inv graph\0models=")


@pytest.mark.slow
def test_check_passes_and_fails_after_a_change_of_the_models(shop):
    """One line names the command that mends it; nothing is written by the check itself."""
    file = shop.wrote("models.png")
    good = file.read_bytes()
    done = shop.inv("graph", "--check", "--output=models.png")
    assert (done.code, done.out) == (0, "models.png shows the models as they are\n")
    models = shop.root / "backend/shop/models.py"
    models.write_text(models.read_text().replace("pages", "leaves"))
    done = shop.inv("graph", "--check", "--output=models.png")
    assert (done.code, done.out) == (1, "")
    again = "Run 'inv graph --output=models.png'."
    assert done.err == f"models.png does not show the models as they are. {again}\n"
    assert file.read_bytes() == good
    shop.wrote("models.png")
    assert file.read_bytes() != good


@pytest.mark.parametrize("name", ["models.svg", "models.png", "models.dot", "models.mmd"])
def test_check_after_a_change_by_hand(context, monkeypatch, tmp_path, name):
    """Whatever is changed, even what no viewer shows, is found; pictures say that it was a hand."""
    monkeypatch.setenv("PATH", str(BIN))
    file = tmp_path / name
    good = tasks.picture(context, DOT, file.suffix)
    file.write_bytes(good)
    assert tasks.fault(file, DOT) is None
    text = file.suffix not in tasks.RENDERED
    wrong = "does not show the models as they are" if text else "was changed by hand"
    middle = len(good) // 2
    for changed in (good + b" ", good[:middle] + b"?" + good[middle + 1 :], good[1:]):
        file.write_bytes(changed)
        assert tasks.fault(file, DOT) == wrong


@pytest.mark.slow
def test_check_of_a_missing_file(shop):
    """The default file is named, and the command that makes it."""
    done = shop.inv("graph", "--check")
    assert (done.code, done.out) == (1, "")
    assert done.err == "docs/models.svg is missing. Run 'inv graph'.\n"


def test_check_does_not_ask_who_drew(tmp_path):
    """A picture of another Graphviz passes: what it shows counts, not how it was drawn."""
    for name, drawn in (("a.svg", b"<svg/>\n"), ("b.png", b"\x89PNG drawn" + bytes(12))):
        file = tmp_path / name
        file.write_bytes(tasks.stamped(drawn, "digraph {}"))
        assert tasks.fault(file, "digraph {}") is None
        assert tasks.fault(file, "digraph { a }") == "does not show the models as they are"


@pytest.mark.parametrize("content", [b"", b"<svg/>\n", b"\x89PNG", b"\xff" * 500])
def test_check_of_a_stranger(tmp_path, content):
    """A file that the task did not write, empty or cut short, is no picture of the models."""
    for name in ("a.svg", "b.png"):
        file = tmp_path / name
        file.write_bytes(content)
        assert tasks.fault(file, "digraph {}") == "does not show the models as they are"


def test_committed_picture_shows_the_models(commands):
    """docs/models.svg of this repository; `inv graph` mends it."""
    done = commands.manage("model_graph", f"--root={ROOT}", DATABASE_URL="sqlite://")
    assert done.code == 0, done.err
    assert tasks.fault(ROOT / tasks.DEFAULT, done.out) is None


@pytest.mark.slow
def test_apps_by_their_place_and_by_option(shop):
    """An app elsewhere is drawn when it is named, and the mending command names it again."""
    file = shop.wrote("the rest.mmd", "vendor", "--app=contenttypes")
    assert [line for line in file.read_text().splitlines() if "[" in line] == [
        '    contenttypes_ContentType["contenttypes.ContentType"] {',
        '    vendor_Widget["vendor.Widget"] {',
    ]
    file.unlink()
    done = shop.inv("graph", "vendor", "--check", "--output=the rest.mmd")
    again = "inv graph --app=vendor '--output=the rest.mmd'"
    assert done.err == f"the rest.mmd is missing. Run '{again}'.\n"


@pytest.mark.slow
@pytest.mark.parametrize(
    ("argv", "message"),
    [
        (("shpo",), "CommandError: There is no app 'shpo'. Did you mean shop?\n"),
        (
            ("--output=models.gif",),
            "--output=models.gif: the name must end in one of .svg, .png, .dot, .mmd.\n",
        ),
    ],
)
def test_wrong_usage_is_one_line(shop, argv, message):
    """What was wrong and what is near or allowed, with exit code 2."""
    done = shop.inv("graph", *argv)
    assert (done.code, done.out, done.err) == (2, "", message)
    assert not (shop.root / "docs").exists()


@pytest.mark.parametrize(
    ("label", "message"),
    [
        ("-x y", "There is no app '-x y'. One of accounts, "),
        ("user", "There is no app 'user'. Did you mean users?"),
        ("staticfiles", "The app 'staticfiles' has no models."),
    ],
)
def test_app_that_cannot_be_drawn(label, message):
    """The message names it and the near names, or those that there are."""
    with pytest.raises(CommandError) as error:
        call_command("model_graph", f"--app={label}")
    assert error.value.returncode == 2
    assert str(error.value).startswith(message)


@pytest.mark.slow
def test_repository_without_models(shop):
    """Nothing of its own to draw: the message says how to draw something else."""
    done = shop.commands.run(
        sys.executable, "backend/manage.py", "model_graph", "--root=tools", cwd=shop.root
    )
    assert (done.code, done.out) == (2, "")
    folder = shop.root / "tools"
    assert done.err == f"CommandError: No app below {folder} has models. Name one: --app=auth\n"


@pytest.mark.slow
def test_dry_prints_the_command_and_writes_nothing(shop):
    """The line of the management command, to be pasted."""
    done = shop.inv("--dry", "graph", "shop")
    line = f"backend/manage.py model_graph '--root={shop.root}' --format=dot --app=shop\n"
    assert (done.code, done.err) == (0, "")
    assert done.out.endswith(f" {line}")
    assert not (shop.root / "docs").exists()


@pytest.mark.slow
def test_a_dot_on_path_comes_first(shop, tmp_path):
    """A Graphviz of the machine draws, and what it draws is kept with the stamp."""
    folder = tmp_path / "bin"
    folder.mkdir()
    program = folder / "dot"
    write_program(
        program, "import sys\nopen(sys.argv[3], 'w').write(f'<svg>{sys.argv[1:3]}</svg>\\n')\n"
    )
    done = shop.inv("graph", PATH=f"{folder}{os.pathsep}{BIN}")
    assert done.code == 0, done.err
    first, stamp = (shop.root / "docs/models.svg").read_text().splitlines()
    assert first == "<svg>['-Tsvg', '-o']</svg>"
    assert re.fullmatch("<!-- inv graph: models=[0-9a-f]{64} picture=[0-9a-f]{64} -->", stamp)


def test_no_graphviz_at_all(context, monkeypatch):
    """One line says how to get it; Mermaid and dot need none."""
    monkeypatch.setenv("PATH", "/nowhere")
    monkeypatch.setattr(sys, "executable", "/nowhere/python")
    with pytest.raises(Exit) as error:
        tasks.picture(context, "digraph {}", ".svg")
    assert error.value.code == 127
    assert str(error.value.message) == (
        "There is no Graphviz to draw with: pip install graphviz-pure, or sudo apt install "
        "graphviz; .dot and .mmd need neither."
    )
    assert tasks.picture(context, "digraph {}", ".dot") == b"digraph {}"


def test_file_that_cannot_be_written_or_read(tmp_path):
    """One line names the file and the reason, and nothing is left behind."""
    (tmp_path / "file").write_text("")
    (tmp_path / "folder.svg").mkdir()
    with pytest.raises(Exit) as error:
        tasks.save(tmp_path / "file/models.svg", b"x")
    assert "models.svg cannot be written: " in str(error.value.message)
    with pytest.raises(Exit) as error:
        tasks.save(tmp_path / "folder.svg", b"x")
    assert str(error.value.message).endswith("folder.svg cannot be written: Is a directory")
    with pytest.raises(Exit) as error:
        tasks.fault(tmp_path / "folder.svg", "")
    assert str(error.value.message).endswith("folder.svg cannot be read: Is a directory")
    assert sorted(file.name for file in tmp_path.iterdir()) == ["file", "folder.svg"]
