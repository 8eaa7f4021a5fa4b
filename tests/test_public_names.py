"""What the product takes from the kit is what the kit names as public, and nothing deeper."""

import ast
import importlib
import subprocess
import sys

import pytest

from tests.commands import ROOT

PUBLIC = ("django_runbook.jobs", "django_runbook.manage", "django_runbook.tasks")
FILES = sorted([*ROOT.glob("backend/**/*.py"), ROOT / "tasks.py"])


def taken(source: str) -> set[tuple[str, str]]:
    """Return what a module imports from the kit, as pairs of a module and a name."""
    found: set[tuple[str, str]] = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("django_runbook"):
            found |= {(str(node.module), alias.name) for alias in node.names}
        elif isinstance(node, ast.Import):
            found |= {(each.name, "") for each in node.names if "django_runbook" in each.name}
    return found


@pytest.mark.parametrize("file", FILES, ids=lambda file: str(file.relative_to(ROOT)))
def test_product_takes_public_names_alone(file):
    """Each import is of a public module, or of a name in the ``__all__`` of one."""
    for module, name in taken(file.read_text("utf-8")):
        if module == "django_runbook":
            assert f"{module}.{name}" in PUBLIC
        else:
            assert module in PUBLIC
            assert not name or name in importlib.import_module(module).__all__


@pytest.mark.parametrize("module", PUBLIC)
def test_public_names_are_there_and_documented(module):
    """Each name can be imported, and its module's docstring or a page says what it is for."""
    found = importlib.import_module(module)
    page = (ROOT / "docs/adopting.md").read_text("utf-8")
    for name in found.__all__:
        assert getattr(found, name) is not None
        assert f"``{name}``" in found.__doc__ or f"{module} import {name}" in page


def test_public_names_of_the_jobs_load_nothing_before_they_are_asked_for():
    """Django imports the app's package before there are models: no model is loaded by that."""
    code = (
        "import sys, django_runbook.jobs;"
        "print([each for each in sys.modules if each.startswith('django_runbook.jobs.')])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"


def test_unknown_name_is_an_attribute_error():
    """A misspelt name is told as Python tells it."""
    jobs = importlib.import_module("django_runbook.jobs")
    with pytest.raises(
        AttributeError, match=r"^module 'django_runbook.jobs' has no attribute 'x'$"
    ):
        _ = jobs.x
