"""Starts Invoke's program without the imports that are dear and that a command line does not use.

Of Invoke's own import, `unittest.mock` (for its MockContext) is about two fifths, and
`importlib.metadata` (for its version) a quarter. The standard library's LazyLoader cannot put these
two off: Invoke takes a name out of them at once, which loads a lazy module. So while Invoke is
imported they have a stand-in, whose names lead to the real ones. The others are lazy.
"""

import gc
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib import util
from importlib.machinery import ModuleSpec, PathFinder
from types import ModuleType
from typing import Any

from django_runbook.text import uncaught

#: Invoke's parser of YAML files, which few have, and what few tasks use, of the kit and of Python.
LAZY = (
    *("invoke.vendor.yaml", "getpass", "json", "locale", "shutil", "textwrap"),
    *("django_runbook.tasks.processes.parallel", "django_runbook.tasks.processes.target"),
)
LAZY_ROOM = "django_runbook.schedule."
INTERRUPTED = 130


def main(root: str) -> None:
    """Run the tasks of the repository at ``root`` that ``sys.argv`` names. Ends the process.

    An error while they are loaded is one line; Ctrl-C is 130, where Invoke itself ends with 1.
    """
    sys.excepthook = uncaught.told
    sys.argv[1:1] = ["--search-root", root]
    gc.disable()  # an import throws nothing away; `KitProgram.execute` switches it on again
    sys.meta_path.insert(0, _Lazily)
    with stand_ins():
        from invoke.main import program
    if any(word.startswith("--print-completion-script") for word in sys.argv[1:]):
        from django_runbook.tasks.cli.program import KitProgram

        program.__class__ = KitProgram  # Invoke prints its own before it has read tasks.py
    try:
        program.run()
    except SystemExit as end:
        if isinstance(end.__context__, KeyboardInterrupt) and end.code == 1:
            sys.exit(INTERRUPTED)
        raise
    sys.exit()


@contextmanager
def stand_ins() -> Iterator[None]:
    """Let the body import Invoke without the two dear modules, unless they are loaded already."""
    names = {"unittest.mock": {"Mock": _mock}, "importlib.metadata": {"version": _version}}
    missing = [name for name in names if name not in sys.modules]
    for name in missing:
        stand_in = sys.modules[name] = ModuleType(name)
        vars(stand_in).update(names[name])
    try:
        yield
    finally:
        for name in missing:
            del sys.modules[name]


class _Lazily:
    """Finds modules that are loaded when something of them is used."""

    @staticmethod
    def find_spec(
        name: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """Return the spec of a module that is to be lazy; None for any other."""
        if name not in LAZY and not name.startswith(LAZY_ROOM):
            return None
        spec = PathFinder.find_spec(name, path, target)
        if spec and spec.loader:
            spec.loader = util.LazyLoader(spec.loader)
        return spec


def _mock(*args: Any, **kwargs: Any) -> Any:
    """Return a real Mock: what a MockContext asks for."""
    from unittest.mock import Mock

    return Mock(*args, **kwargs)


def _version(name: str) -> str:
    """Return a distribution's version from the name of its folder of metadata."""
    from pathlib import Path

    spec = util.find_spec(name)
    folder = Path(spec.origin).parents[1] if spec and spec.origin else Path()
    for found in folder.glob(f"{name}-*.dist-info"):
        return found.stem.partition("-")[2]
    from importlib import metadata

    return metadata.version(name)
