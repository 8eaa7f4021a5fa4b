r"""Builds argument lists and starts processes: the only place that does.

Invoke's ``c.run`` takes a shell string, gives the child no terminal and sends it a stray ``\x03``
on Ctrl-C (pyinvoke issues 2 and 1052); ``c.remainder`` has lost its quotes. So nothing here uses
them: a child gets a list, the terminal itself, and its exit code comes through unchanged.
"""

import os
import shlex
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from invoke import Context, Exit

from django_runbook import extras
from django_runbook.config import Config, ConfigError, load
from django_runbook.tasks.processes import dotenv, paths
from django_runbook.tasks.processes.command_line import line

#: The management command that looks whether the declared jobs are commands, and can run.
CHECK_JOBS = ("check", "--tag=runbook_jobs", "--fail-level=WARNING")
#: False where more is to come after a command: another task, or the rest of the one that called.
may_become = True


def config(c: Context) -> Config:
    """Return the project's configuration. Raises ``Exit`` with one line where it is wrong."""
    try:
        return load(Path(c.config.runbook.root))
    except ConfigError as error:
        raise Exit(str(error), code=1) from error


def manage(
    c: Context, *arguments: str, absolute: bool = False, env: Mapping[str, str] | None = None
) -> list[str]:
    """Return the argument list of a management command, run by this very Python.

    Its paths are short ones, unless they must be ``absolute`` for a command that runs elsewhere.
    Those that the user typed mean the user's folder. A fresh checkout gets its ``.env`` first,
    where its tasks file wants that, unless the command will have its settings in ``env``.
    """
    manage_py = config(c).manage
    if c.config.runbook.get("dotenv"):
        dotenv.ensure(Path(c.config.runbook.root), dry=is_dry(c), env=env)
    if working_folder(c):
        arguments = tuple(paths.absolute(arguments, Path.cwd()))
    if absolute:
        return [sys.executable, str(manage_py), *arguments]
    return [_short(c, sys.executable), _short(c, manage_py), *arguments]


def require(module: str, task: str) -> None:
    """Raise ``Exit`` with the extra to install where a module is missing that a task needs."""
    if lacking := extras.missing(module, task):
        raise Exit(lacking, code=1)


def options(**values: object) -> list[str]:
    """Return options as Django spells them: ``as_of="x"`` is ``--as-of=x``; None and False none."""
    return [
        f"--{name.replace('_', '-')}" + ("" if value is True else f"={value}")
        for name, value in values.items()
        if value is not None and value is not False
    ]


def typed() -> list[str]:
    """Return what the user typed after the first ``--``, word for word."""
    return sys.argv[sys.argv.index("--") + 1 :] if "--" in sys.argv else []


def become(c: Context, argv: Sequence[str], env: Mapping[str, str] | None = None) -> None:
    """Replace this process with ``argv``: signals, terminal and exit code are the command's own.

    Where more is to come, it runs as a step. Under Invoke's ``--dry`` the command line is printed
    instead. Raises ``Exit`` with code 127 for a program that is not there.
    """
    if is_dry(c):
        print(line(argv, env))
        return
    if not may_become:
        run(c, argv, env)
        return
    folder = working_folder(c)
    if folder:
        os.chdir(folder)
    sys.stdout.flush()
    sys.stderr.flush()
    try:
        os.execvpe(argv[0], list(argv), {**os.environ, **(env or {})})
    except FileNotFoundError as error:
        raise _absent(argv) from error


def run(
    c: Context,
    argv: Sequence[str],
    env: Mapping[str, str] | None = None,
    *,
    folder: Path | None = None,
) -> None:
    """Run one of a task's several steps in the terminal, and end the task if it fails.

    ``folder`` is where, if not where the user is. Ctrl-C is the child's: this process waits on.
    SIGTERM is handed on. Raises ``Exit`` with the child's own code, 128+n where signal n ended it.
    Under ``--dry`` the line is printed instead.
    """
    if is_dry(c):
        there = f"cd {shlex.quote(str(folder))} && " if folder else ""
        print(f"{there}{line(argv, env)}")
        return
    with _signals_left_to_child() as children:
        try:
            child = subprocess.Popen(
                argv, env={**os.environ, **(env or {})}, cwd=folder or working_folder(c)
            )
        except FileNotFoundError as error:
            raise _absent(argv) from error
        children.append(child)
        code = child.wait()
    if code:
        raise Exit(code=exit_code(code))


def probe(c: Context, argv: Sequence[str], env: Mapping[str, str] | None = None) -> str:
    """Return the output of a command that only reads; it runs under ``--dry`` as well.

    Raises ``Exit`` with the command's own message and code where it fails.
    """
    done = subprocess.run(
        argv,
        env={**os.environ, **(env or {})},
        cwd=working_folder(c),
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise Exit(_reason(done.stderr) or None, code=exit_code(done.returncode))
    return done.stdout


def graphviz() -> str | None:
    """Return the program that draws: ``dot`` on PATH, else the one of the package graphviz-pure."""
    beside = shutil.which("graphviz-pure", path=str(Path(sys.executable).parent))
    return shutil.which("dot") or beside or shutil.which("graphviz-pure")


def is_dry(c: Context) -> bool:
    """Tell whether Invoke's own ``--dry`` was given."""
    return bool(c.config.run.dry)


def exit_code(code: int) -> int:
    """Return the shell's exit code for one of ``subprocess``: -2 (SIGINT) is 130."""
    return 128 - code if code < 0 else code


@contextmanager
def _signals_left_to_child() -> Iterator[list["subprocess.Popen[bytes]"]]:
    """Leave Ctrl-C to the child, which gets it from the terminal; hand SIGTERM on to it.

    The handlers stand before the child does, and do nothing or little on purpose: an ignored
    SIGINT (SIG_IGN) would be inherited, a handler is not.
    """
    children: list[subprocess.Popen[bytes]] = []

    def hand_on(number: int, _frame: object) -> None:
        for child in children:
            child.send_signal(number)

    interrupt = signal.signal(signal.SIGINT, lambda *_: None)
    terminate = signal.signal(signal.SIGTERM, hand_on)
    try:
        yield children
    finally:
        signal.signal(signal.SIGINT, interrupt)
        signal.signal(signal.SIGTERM, terminate)


def working_folder(c: Context) -> Path | None:
    """Return where a child runs: where the user is, or the root for a user outside of it."""
    root = Path(c.config.runbook.root)
    return None if Path.cwd().is_relative_to(root) else root


def _reason(errors: str) -> str:
    """Return what a failed command said; of a traceback, its last line and where it happened."""
    lines = [line.strip() for line in errors.strip().splitlines()]
    if not any(line.startswith("Traceback (") for line in lines):
        return errors.strip()
    places = [line for line in lines if line.startswith('File "') and "-packages" not in line]
    where = places[-1].split(", in ")[0].removeprefix("File ") if places else ""
    return f"{lines[-1]} ({where})" if where else lines[-1]


def _short(c: Context, path: str | Path) -> str:
    """Return a path as a person inside the repository would type it, where that is shorter."""
    path, here = Path(path), Path.cwd()
    if working_folder(c) or not path.is_relative_to(here):
        return str(path)
    short = str(path.relative_to(here))
    return short if os.sep in short else os.path.join(os.curdir, short)  # noqa: PTH118  # keeps ./


def _absent(argv: Sequence[str]) -> Exit:
    return Exit(f"{argv[0]} is not installed: run ./inv, which makes .venv anew.", code=127)
