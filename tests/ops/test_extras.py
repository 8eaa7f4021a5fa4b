"""What is missing is named with the extra that brings it."""

import tomllib
from importlib import metadata

import pytest

from django_runbook import extras
from tests.commands import ROOT

DECLARED = tomllib.loads((ROOT / "ops/pyproject.toml").read_text("utf-8"))["project"]


@pytest.mark.parametrize("module", extras.MODULES)
def test_the_extra_brings_the_module(module):
    """The extra that a line names lists the distribution that has the module."""
    distribution, extra = extras.MODULES[module]
    listed = DECLARED["optional-dependencies"][extra]
    assert [each for each in listed if each.startswith(f"{distribution}>=")]
    assert distribution in metadata.packages_distributions()[module]


def test_all_is_every_extra():
    """Whoever installs ``all`` lacks nothing."""
    declared = DECLARED["optional-dependencies"]
    every = [name for name in declared if name != "all"]
    assert declared["all"] == [f"django-runbook[{','.join(every)}]"]


def test_line_for_what_is_missing(monkeypatch):
    """What needs it, the distribution, and the command."""
    assert extras.missing("yaml", "inv schedule.lint") is None
    monkeypatch.setattr(extras, "find_spec", lambda _name: None)
    assert extras.missing("yaml", "inv schedule.lint") == (
        'inv schedule.lint needs PyYAML: pip install "django-runbook[schedule]"'
    )


def test_base_is_small():
    """The base brings no driver of a database, and nothing that only some tasks need."""
    names = [each.partition(">=")[0] for each in DECLARED["dependencies"]]
    assert names == ["cronsim", "Django", "invoke", "sqlparse"]
