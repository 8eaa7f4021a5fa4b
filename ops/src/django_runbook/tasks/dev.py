"""`inv dev.*`: what a developer does all day."""

import sys
from pathlib import Path

from invoke import Collection, Context, Exit

from django_runbook.tasks.cli.declaration import task
from django_runbook.tasks.processes import dotenv, target
from django_runbook.tasks.processes.process import (
    become,
    config,
    is_dry,
    manage,
    options,
    require,
    run,
    typed,
)

GROUP = "Development"


@task()
def setup(c: Context) -> None:
    """Make this checkout ready: .env and migrations."""
    at = _ask(c)
    if at.protected:
        raise Exit(f"Refused: {at} is protected; setup is for a developer's database.", code=3)
    target.show(at, "Set up")
    run(c, manage(c, "migrate"))
    become(c, manage(c, "diagnose"))


def _ask(c: Context) -> target.Target:
    """Return the target; where the settings do not load, make the ``.env`` that they lack first."""
    root = Path(c.config.runbook.root)
    try:
        return target.ask(c)
    except Exit:
        before = (root / ".env").exists()
        dotenv.ensure(root, dry=is_dry(c))
        if before or not (root / ".env").exists():
            raise
    return target.ask(c)


@task(
    operands=("addrport",),
    passes_on=True,
    help={"addrport": "The port, or address:port (default: 127.0.0.1:8000)."},
)
def serve(c: Context, addrport: str | None = None) -> None:
    """Serve the site on this machine (runserver)."""
    become(c, manage(c, "runserver", *([addrport] if addrport else []), *typed()))


@task(passes_on=True)
def shell(c: Context) -> None:
    """Open a shell with every model imported (shell_plus)."""
    require("django_extensions", "inv dev.shell")
    become(c, manage(c, "shell_plus", *typed()))


@task(passes_on=True)
def superuser(c: Context) -> None:
    """Create a superuser, asking who (createsuperuser)."""
    become(c, manage(c, "createsuperuser", *typed()))


@task(passes_on=True, help={"clear": "Delete what is there first."})
def static(c: Context, clear: bool = False) -> None:
    """Collect the static files (collectstatic)."""
    become(c, manage(c, "collectstatic", "--no-input", *options(clear=clear), *typed()))


@task(operands=("name",), passes_on=True, help={"name": "The app's name, such as billing."})
def app(c: Context, name: str | None = None) -> None:
    """Start an app beside the others (startapp)."""
    if not name or not name.isidentifier():
        raise Exit(f"'{name or ''}' is no name for an app. As in: inv dev.app billing", code=2)
    folder = config(c).manage.parent / name
    if folder.exists():
        raise Exit(f"{folder} exists already; nothing was written.", code=3)
    # There, because startapp makes no folder that it is given, and takes an empty one for a module.
    run(c, manage(c, "startapp", name, *typed(), absolute=True), folder=folder.parent)
    if not is_dry(c):
        print(f'Next: add "{name}" to INSTALLED_APPS.', file=sys.stderr)


@task(passes_on=True)
def urls(c: Context) -> None:
    """Show every URL with its view (show_urls)."""
    require("django_extensions", "inv dev.urls")
    become(c, manage(c, "show_urls", *typed()))


collection = Collection("dev", setup, serve, shell, superuser, static, app, urls)
