"""The reference of the configuration: made from the place where each key is declared."""

import tomllib

import pytest

from django_runbook.config import load
from django_runbook.config.jobs import INPUTS, Job, JobsTable
from django_runbook.config.keys import keys
from django_runbook.config.notify import Notify
from django_runbook.config.project import Keys
from django_runbook.config.reference import reference
from django_runbook.config.schedule import Schedule


def test_every_key_has_its_place():
    """Each key of each table stands there once, in the order of its declaration."""
    found = [(entry.table, entry.key) for entry in reference()]
    table = "tool.django-runbook"
    assert found == [
        *((table, key) for key in keys(Keys)),
        (f"{table}.environments", "NAME"),
        *((f"{table}.jobs", key) for key in keys(JobsTable)),
        *((f"{table}.jobs.NAME", key) for key in keys(Job)),
        *((f"{table}.schedule", key) for key in keys(Schedule)),
        *((f"{table}.notify", key) for key in keys(Notify)),
    ]


@pytest.mark.parametrize("entry", reference(), ids=lambda entry: f"{entry.table}.{entry.key}")
def test_every_key_says_what_it_means_and_what_is_allowed(entry):
    """One or two whole sentences for a reader, and the words of its own error message."""
    assert entry.says[0].isupper()
    assert entry.says.endswith(".")
    assert entry.allowed


def test_defaults_are_written_as_in_the_file(tmp_path):
    """What the reference shows as a default can be written into the file and changes nothing."""
    (tmp_path / "manage.py").touch()
    written = {}
    for entry in reference():
        if entry.default and entry.key != "manage":
            written.setdefault(entry.table.replace("NAME", "nightly"), []).append(entry)
    text = "".join(
        f"[{table}]\n" + "".join(f"{entry.key} = {entry.default}\n" for entry in entries)
        for table, entries in written.items()
    ).replace("[tool.django-runbook]\n", '[tool.django-runbook]\nmanage = "manage.py"\n')
    assert tomllib.loads(text)
    (tmp_path / "pyproject.toml").write_text(text)
    load.cache_clear()
    config = load(tmp_path)
    assert config.jobs["nightly"] == Job(name="nightly")
    assert config.schedule == Schedule()
    assert config.notify == Notify()
    assert config.protected == {"production"}
    assert config.job("nightly").inputs == INPUTS
