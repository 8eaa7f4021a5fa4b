"""Code that is copied out of several modules into one does there what it did."""

import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from django_runbook.schema.errors import MigrationsError
from django_runbook.schema.squash.source.copying import Copier
from django_runbook.schema.squash.source.imports import Import, from_line, rendered
from django_runbook.schema.squash.source.module import Source

NAMES = "abcd"
#: Definitions of ``{n}`` that use ``{r}``, a name that is defined before it, or hide it.
KINDS = (
    "{n} = {k}",
    "def {n}():\n    return [{k}, *show({r})]",
    "def {n}({r}={k}):\n    return [{r}, {k}]",
    "def {n}(*{r}):\n    return [{r}, {k}]",
    "def {n}():\n    {r} = {k}\n    return [{r}]",
    "def {n}():\n    return [{r} for {r} in [{k}]] + show({r})",
    "def {n}():\n    return [x for x in show({r})] + [{k} for _ in show({r})]",
    "def {n}():\n    def inner({r}={k}):\n        return [{r}]\n    return inner() + show({r})",
    "def {n}(x=show({r})):\n    def {r}():\n        return {k}\n    return [x, {r}()]",
    "def {n}():\n    if (y := show({r})):\n        return [y, {k}]",
    "def {n}():\n  try:\n    1 / 0\n  except ZeroDivisionError as {r}:\n    return [{k}]",
    "def {n}():\n    import string as {r}\n    return [{r}.digits]",
    "def {n}():\n  class In:\n    {r} = show({r})\n    x = {k}\n  return [In.{r}, In.x]",
    "class {n}:\n    size = show({r})\n    def __new__(cls):\n        return [cls.size, {k}]",
    "{n} = lambda {r}={r}: [{k}, *show({r})]",
    "{n} = [{k}]\n{n}.append({k})\n{n} += [show({r})]",
    "try:\n    {n} = {{{k}: show({r})}}\nfinally:\n    pass",
    "if {k}:\n    def {n}(): return show({r})\nelse:\n    def {n}(): return [{k}]",
    "from string import digits as {n}",
    "import string as {n}",
    "@show\ndef {n}():\n    # {r}\n    return [{k}, '{r}']",
    "{n}: list = show({r})",
    "for {n} in [show({r})]: pass",
    "try:\n    1 / 0\nexcept ZeroDivisionError as e:\n    {n} = [{k}, e.args, show({r})]",
    "match [{k}, {{1: show({r})}}]:\n    case [e, {{**{n}}} as f]:\n        {n}[e] = len(f)",
    "class {n}:\n    def __new__(cls, __x=show({r})):\n        return [__x, __class__.__mro__[1:]]",
)
SHOW = """\
def show(x):
    return (x() if callable(x) else [getattr(x, "__name__", x)]) or []
"""


@st.composite
def module(draw: st.DrawFn) -> str:
    """Return the text of a module: definitions that use those before them."""
    texts, known = [SHOW], ["show"]
    for _ in range(draw(st.integers(1, 6))):
        name, other = draw(st.sampled_from(NAMES)), draw(st.sampled_from(known))
        if name in known or other == name:
            continue
        other = "list" if other == "show" else other
        kind = draw(st.sampled_from(KINDS))
        texts.append(kind.format(n=name, r=other, k=draw(st.integers(0, 1))))
        known.append(name)
    return "\n\n".join(texts) + "\n"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return where the modules are written."""
    return tmp_path_factory.mktemp("copied")


@pytest.fixture(autouse=True)
def _clean() -> Iterator[None]:
    before = {*sys.modules}
    yield
    for name in {*sys.modules} - before:
        if name.startswith("copied."):
            del sys.modules[name]


def imported(folder: Path, number: int, text: str) -> Source:
    """Return a module with this text, which was imported."""
    name = f"copied.{number:04}_x"
    file = folder / f"{number:04}_x.py"
    file.write_text(text)
    made = ModuleType(name)
    made.__file__, made.__package__ = str(file), "copied"
    sys.modules[name] = made
    exec(compile(text, str(file), "exec"), vars(made))
    return Source(name)


def shown(value: Any) -> str:
    """Return a value as text; what can be called, by what it returns or raises."""
    try:
        return repr(value() if callable(value) else getattr(value, "__name__", value))
    except (TypeError, NameError) as error:
        return repr(error)


@settings(max_examples=60, deadline=None)
@given(st.lists(module(), min_size=1, max_size=3))
def test_copies_do_the_same(folder: Path, texts: list[str]) -> None:
    """All names mean in one file what they meant, whatever clashes or hides them."""
    sources = [imported(folder, number, text) for number, text in enumerate(texts, 1)]
    copier = Copier(sources, [source.module for source in sources])
    wanted = [
        (source, name, copier.name(source, name))
        for source in sources
        for name in NAMES
        if source.binding(name) != ((), ())
    ]
    try:
        copied = copier.finish()
    except MigrationsError as error:
        if "stands in a class" in str(error):
            return  # refused: it cannot be seen which of the two is meant
        raise
    there: dict[str, Any] = {}
    exec(f"{copied.imports}\n\n{copied.code}", there)
    for source, name, token in wanted:
        old = vars(sys.modules[source.module])[name]
        assert shown(there[copier.resolved(token)]) == shown(old), copied.code


def test_builtins_that_a_module_hides(folder: Path) -> None:
    """A module's own ``len`` is no other module's: it gets another name."""
    own = imported(folder, 1, "def len(x):\n    return 9\n\n\ndef a():\n    return len('')\n")
    other = imported(folder, 2, "def b():\n    return len('')\n")
    copier = Copier([own, other], [])
    tokens = [copier.name(own, "a"), copier.name(other, "b")]
    copied = copier.finish()
    there: dict[str, Any] = {}
    exec(f"{copied.imports}\n\n{copied.code}", there)
    assert [there[copier.resolved(token)]() for token in tokens] == [9, 0]


def test_code_from_another_migration(folder: Path) -> None:
    """What a migration imports from one that is replaced too is copied from there."""
    first = imported(folder, 1, "SIZE = 3\n\n\ndef a():\n    return SIZE\n")
    sys.modules["copied.first"] = sys.modules[first.module]
    again = Source("copied.first")
    second = imported(folder, 2, "from copied.first import a as b\n\n\ndef c():\n    return b()\n")
    copier = Copier([again, second], ["copied.first"])
    token = copier.name(second, "c")
    copied = copier.finish()
    assert "copied" not in copied.imports
    there: dict[str, Any] = {}
    exec(copier.resolved(copied.code), there)
    assert there[copier.resolved(token)]() == 3


def test_equal_functions_that_need_other_constants(folder: Path) -> None:
    """Two functions of one text are two where a constant behind them differs."""
    text = "SIZE = {}\n\n\ndef size():\n    return SIZE\n\n\ndef a():\n    return size()\n"
    sources = [imported(folder, number, text.format(number)) for number in (1, 2)]
    copier = Copier(sources, [])
    tokens = [copier.name(source, "a") for source in sources]
    there: dict[str, Any] = {}
    exec(copier.finish().code, there)
    assert [there[copier.resolved(token)]() for token in tokens] == [1, 2]
    assert [copier.resolved(token) for token in tokens] == ["a", "a_0002"]


def test_imports_are_written_in_groups() -> None:
    """The future first, then the standard library, others, and those of the same package."""
    lines = [
        "from .helpers import b",
        "import uuid",
        "from django.db import models",
        "from __future__ import annotations",
        "from django.db import migrations as m",
        "import django.utils.timezone",
        "from . import a",
        "import numpy as np",
    ]
    assert rendered(map(from_line, lines)) == (
        "from __future__ import annotations\n\nimport uuid\n\nimport django.utils.timezone\n"
        "import numpy as np\nfrom django.db import migrations as m, models\n\n"
        "from . import a\nfrom .helpers import b"
    )


@pytest.mark.parametrize(
    ("line", "name", "text"),
    [
        ("from a import b", "b", "from a import b"),
        ("from a import b", "c", "from a import b as c"),
        ("from a import b as c", "b", "from a import b"),
        ("import a", "b", "import a as b"),
        ("import a.b", "a", "import a.b"),
        ("import a.b as c", "d", "import a.b as d"),
    ],
)
def test_imports_under_other_names(line: str, name: str, text: str) -> None:
    """An import binds another name by ``as``, and its own without."""
    one: Import = from_line(line).bound_to(name)
    assert (rendered([one]), one.binds) == (text, name)
