"""A pyproject.toml that is written for one test."""

import pytest

from django_runbook.config import load


@pytest.fixture
def written(tmp_path):
    """Return what loads a pyproject.toml with this text."""
    (tmp_path / "manage.py").touch()

    def write(text):
        (tmp_path / "pyproject.toml").write_text(text)
        load.cache_clear()
        return load(tmp_path)

    return write
