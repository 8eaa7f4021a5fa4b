"""`inv graph`: a picture of the models, drawn without a system package and checked for its age."""

import os
import re
import struct
import sys
import zlib
from pathlib import Path
from xml.etree import ElementTree

import pytest
from invoke import Config, Context, Exit

from django_runbook.schema.drawing.formats import PADDING, width
from django_runbook.tasks import graph as tasks
from tests.commands import BIN, ROOT, write_program
from tests.ops.schema.drawing.drawn import DOT, shop_fixture

__all__ = ["shop_fixture"]


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


@pytest.mark.locked
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
        'There is no Graphviz to draw with: pip install "django-runbook[graph]", or sudo '
        "apt install graphviz; .dot and .mmd need neither."
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
