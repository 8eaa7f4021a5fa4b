"""Tab completion: what may stand next, in real shells."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import invoke
import pexpect
import pytest

from django_runbook.tasks.cli.completion import migrations
from tests.commands import ROOT, Commands

TASKS = """\
from pathlib import Path

from django_runbook.tasks import kit

ns = kit(Path(__file__).resolve().parent)
"""
APPS = {
    "src/users": ("0001_initial", "0002_email"),
    "src/deep/er/billing": ("0001_initial",),
    "src/labelled": ("0001_initial",),
    "src/graph": (),
    "src/venv/lib/stolen": ("0001_initial",),
    "src/node_modules/left": ("0001_initial",),
    "src/.hidden/secret": ("0001_initial",),
    "src/$(touch started)": ("0001_initial",),
    "outside": ("0001_initial",),
}
#: A program that must not be started.
TRAP = '#!/bin/sh\ntouch "$HOME/started"\n'


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Return a repository with `./inv`, ready to start, in a folder whose name has a quote."""
    root = tmp_path / "some one's"
    for app, names in APPS.items():
        folder = root / app / "migrations"
        folder.mkdir(parents=True)
        for name in ("__init__", *names, "$(touch started)"):
            (folder / f"{name}.py").touch()
    (root / "src/labelled/apps.py").write_text("class C:\n    label: str = 'other'\n")
    (root / "src/venv/pyvenv.cfg").touch()
    (root / "src/manage.py").touch()
    (root / "pyproject.toml").write_text('[tool.django-runbook]\nmanage = "src/manage.py"\n')
    (root / "tasks.py").write_text(TASKS)
    shutil.copy(ROOT / "inv", root)
    (root / "ops").symlink_to(ROOT / "ops")
    lock = root / "requirements-dev.txt"
    lock.write_text("one==1\n")
    python = root / ".venv/bin/python"
    python.parent.mkdir(parents=True)
    python.symlink_to(os.path.realpath(sys.executable))
    packages = root / f".venv/lib/python{sys.version_info[0]}.{sys.version_info[1]}"
    packages.mkdir(parents=True)
    (packages / "site-packages").symlink_to(Path(invoke.__file__).parents[1])
    stamp = f"{root}\n{os.path.realpath(python)}\n{lock.read_text()}"
    (root / ".venv/made-from").write_text(stamp)
    return root


@pytest.fixture
def elsewhere(tmp_path: Path) -> Path:
    """Return a folder with an `inv` of somebody else, which is first on PATH too."""
    folder = tmp_path / "elsewhere"
    folder.mkdir()
    (folder / "inv").write_text(TRAP)
    (folder / "inv").chmod(0o755)
    return folder


def test_apps_are_found_in_nested_folders(root):
    """By their label; not those of virtual environments, of node_modules, of hidden folders."""
    assert {label: sorted(names) for label, names in migrations(root / "src").items()} == {
        "users": ["0001_initial", "0002_email"],
        "billing": ["0001_initial"],
        "other": ["0001_initial"],
        "graph": [],
    }


@pytest.mark.slow
@pytest.mark.parametrize(
    ("typed", "names"),
    [
        ("db.sql us", "billing graph other users"),
        ("db.sql users 0", "0001_initial 0002_email"),
        ("db.sql --backwards users 0", "0001_initial 0002_email"),
        ("db.sql --app-label=users 0", "0001_initial 0002_email"),
        ("graph --app=", "--app=billing --app=graph --app=other --app=users"),
        ("db.sql --app-label = us", "billing graph other users"),
        ("db.sql --app-label us", "billing graph other users"),
        ("db.sql graph 0", ""),
        ("db.sql users 0001 --", "--app-label --migration-name --backwards --help"),
        ("db.show users gra", "billing graph other users"),
        ("db.check db.sql us", "billing graph other users"),
        ("graph us", "billing graph other users"),
        ("db.restore var", ""),
        ("manage -- mig", ""),
        ("db.sql --app-label a --app-label b", ""),
    ],
)  # fmt: skip
def test_names_that_may_stand_next(root, tmp_path, typed, names):
    """Apps, migrations and options, each where it may stand; nothing where files may."""
    done = Commands(tmp_path).run(root / "inv", "--complete", "--", "inv", *typed.split(" "))
    assert (done.code, done.err) == (0, "")
    assert done.out.split() == names.split()


@pytest.mark.slow
def test_tasks_stand_where_no_value_can(root, tmp_path):
    """The names of the tasks come first on a line, and after a task that has all its words."""
    for typed in ([""], ["db."], ["db.check", ""], ["db.sql", "users", "0001", ""]):
        done = Commands(tmp_path).run(root / "inv", "--complete", "--", "inv", *typed)
        assert {"db.sql", "db.show", "test"} <= set(done.out.split()), typed


#: What is typed before Tab, and the line that it becomes.
LINES = {
    "inv db.rol": "inv db.rollback-check",
    "./inv db.sql bil": "./inv db.sql billing",
    "./inv db.sql users 0002": "./inv db.sql users 0002_email",
    "./inv db.migrate --lock": "./inv db.migrate --lock-timeout",
    "./inv db.migrate --app-label=bil": "./inv db.migrate --app-label=billing",
    "./inv db.migrate --app-label bil": "./inv db.migrate --app-label billing",
    "./inv db.restore local_f": "./inv db.restore local_file",
}
SHELLS = {
    "bash": ["bash", "--norc", "--noprofile", "-i"],
    "zsh": ["zsh", "-f", "-i"],
}


def variables(root: Path, elsewhere: Path) -> dict[str, str]:
    """Return an environment for a shell."""
    (elsewhere / "local_file").touch()
    return {
        "HOME": str(elsewhere.parent),
        "LAUNCHER": str(root / "inv"),
        "PATH": f"{elsewhere}:/usr/bin:/bin",
        "TERM": "xterm",
        "PS1": "> ",
    }


@pytest.mark.slow
@pytest.mark.parametrize("shell", ["bash", "zsh"])
def test_tab_in_a_real_shell(root, elsewhere, shell):
    """From any folder Tab asks the launcher that gave the script, and starts nothing else."""
    started = pexpect.spawn(
        *(SHELLS[shell][0], SHELLS[shell][1:]),
        cwd=elsewhere,
        env=variables(root, elsewhere),
        encoding="utf-8",
        timeout=30,
        dimensions=(24, 300),
    )
    started.sendline(f'eval "$("$LAUNCHER" --print-completion-script {shell})"; echo re""ady')
    started.expect_exact("ready\r\n")
    programs = (f"{escaped(root)}/inv", quoted(root / "inv"), f"{quoted(root)}/inv")
    whole = {f"{program} db.sql bil": f"{root}/inv db.sql billing" for program in programs}
    for typed, becomes in {**LINES, "'./inv' db.sql bil": "./inv db.sql billing", **whole}.items():
        started.send(f"{typed}\t")
        started.expect_exact(becomes.split(" ")[-1])  # the shell has written it out
        started.send("\x01printf '<%s>' \r")  # to the line's beginning
        started.expect(r"\r\n(?:\x1b\[\?2004l\r)?(<[^\r\x1b]*>)")
        assert started.match[1] == "".join(f"<{word}>" for word in _words(becomes, root))
    started.sendline("exit")
    started.expect(pexpect.EOF)
    started.close()
    assert not (elsewhere.parent / "started").exists()


def escaped(path: Path) -> str:
    """Return a path as one types it, with a backslash before a space and a quote."""
    return re.sub(r"([ '])", r"\\\1", str(path))


def quoted(path: Path) -> str:
    """Return a path as one types it in quotes, the one in its name outside of them."""
    return "'" + str(path).replace("'", "'\"'\"'") + "'"


def _words(line: str, root: Path) -> list[str]:
    """Return the words of a line, the program's path being one."""
    program = f"{root}/inv"
    return [program, *line.removeprefix(program).split()] if program in line else line.split()


@pytest.mark.slow
def test_fish_completes_the_same(root, elsewhere):
    """Fish's own engine finds what Tab would write."""
    programs = (f"{escaped(root)}/inv", f'"{root}/inv"', f'"{root}"/inv')
    lines = {**LINES, **{f"{program} db.sql bil": "billing" for program in programs}}
    for typed, becomes in lines.items():
        code = '"$LAUNCHER" --print-completion-script fish | source; complete -C "$TYPED"'
        done = subprocess.run(
            ["fish", "--no-config", "-c", code],
            cwd=elsewhere,
            env={**variables(root, elsewhere), "TYPED": typed},
            capture_output=True,
            text=True,
            check=False,
        )
        assert (done.returncode, done.stderr) == (0, "")
        assert done.stdout.split() == [becomes.split(" ")[-1]]
    assert not (elsewhere.parent / "started").exists()


def test_shell_that_is_not_known(root, tmp_path):
    """Another shell is wrong usage, with those that there are."""
    done = Commands(tmp_path).run(root / "inv", "--print-completion-script", "tcsh")
    assert (done.code, done.out) == (2, "")
    assert done.err == "There is no completion for 'tcsh', but for bash, fish, zsh.\n"
