"""What must hold for the whole tree."""

import itertools
import re
import subprocess
import sys
import tomllib

import pytest

from django_runbook.tasks import readme
from tasks import ns
from tests.commands import BIN, ROOT, Commands

LOCKS = ("requirements.txt", "requirements-dev.txt")
#: What silences a checker, and how it is written: with its rule, and its reason behind it.
SILENCED = re.compile(r"# *(?:ruff: *)?noqa\b|# *type: *ignore\b")
WITH_REASON = re.compile(
    r"# (?:(?:ruff: )?noqa: [A-Z]+\d+(?:, [A-Z]+\d+)*|type: ignore\[[a-z-]+(?:, [a-z-]+)*\])  # \w"
)
TASKS = """\
from pathlib import Path
from django_runbook.tasks import kit
ns = kit(Path(__file__).parent)
"""


def test_imports_follow_the_design():
    """import-linter's contracts in pyproject.toml hold."""
    done = subprocess.run(
        [sys.executable, "-c", "from importlinter.cli import lint_imports_command as c; c()"],
        cwd=ROOT,
        env={"PYTHONPATH": f"{ROOT}:{ROOT}/backend"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("name", LOCKS)
def test_locks_pin_with_hashes_and_carry_no_address(name):
    """Every line is a pin, a hash or a comment; there is no address of any index."""
    text = (ROOT / name).read_text("utf-8")
    pin = re.compile(r"[a-z0-9][a-z0-9-]*==[\w.]+( ; .+)? \\")
    hashed = re.compile(r"    --hash=sha256:[0-9a-f]{64}( \\)?")
    lines = [line for line in text.splitlines() if line and not line.lstrip().startswith("#")]
    assert [line for line in lines if not (pin.fullmatch(line) or hashed.fullmatch(line))] == []
    assert "://" not in text


def test_locks_hold_what_pyproject_asks_for():
    """Each dependency stands in its lock, and both locks agree."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
    asked = {
        "requirements.txt": project["project"]["dependencies"],
        "requirements-dev.txt": project["dependency-groups"]["dev"],
    }
    pins = {}
    for name, wanted in asked.items():
        text = (ROOT / name).read_text("utf-8")
        pins[name] = dict(re.findall(r"^([a-z0-9-]+)==([\w.]+)", text, re.MULTILINE))
        names = {re.match(r"[\w.-]+", text)[0].lower().replace("_", "-") for text in wanted}
        assert names - set(pins[name]) == {"django-runbook"}
    run_time, development = pins.values()
    assert run_time.items() <= development.items()


@pytest.mark.parametrize("name", ["pyproject.toml", "ops/pyproject.toml"])
def test_every_dependency_says_why_it_is_there(name):
    """In each pyproject.toml a comment stands behind every dependency, of whatever group."""
    text = (ROOT / name).read_text("utf-8")
    project = tomllib.loads(text)
    asked = [
        *project["project"]["dependencies"],
        *itertools.chain(*project["project"].get("optional-dependencies", {}).values()),
        *itertools.chain(*project.get("dependency-groups", {}).values()),
    ]
    said = re.findall(r"^    \"([^\"]+)\",\s+# \w", text, re.MULTILINE)
    own = [each for each in asked if each.startswith("django-runbook[") and name.startswith("ops")]
    assert set(asked) - set(own) - set(said) == set()


def test_files_are_short():
    """No module that a person writes is longer than about 250 lines; migrations are generated."""
    files = [*ROOT.glob("ops/**/*.py"), *ROOT.glob("backend/**/*.py"), ROOT / "tasks.py"]
    files = [file for file in files if file.parent.name != "migrations"]
    long = {str(file): len(file.read_text("utf-8").splitlines()) for file in files}
    assert {name: lines for name, lines in long.items() if lines > 250} == {}


def test_docs_have_the_table_of_the_tasks():
    """The table in docs/tasks.md is the one that the tasks make: `inv readme` writes it."""
    text = (ROOT / "docs/tasks.md").read_text("utf-8")
    assert readme.table(ns) in text


def test_pages_lead_to_pages_that_are_there():
    """Each relative link of a page names a file, and each page of docs/ is named by the README."""
    pages = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *ROOT.glob("docs/**/*.md")]
    linked = {
        (page.parent / link).resolve()
        for page in pages
        for link in re.findall(r"\]\(([^):#]+)\)", page.read_text("utf-8"))
    }
    assert [link for link in linked if not link.is_file()] == []
    assert set(ROOT.glob("docs/**/*.md")) <= linked


def test_readme_is_short():
    """Its first screen sells; the rest has pages of its own."""
    assert len((ROOT / "README.md").read_text("utf-8").splitlines()) <= 150


def test_kit_root_package_is_empty():
    """The Django side never loads Invoke through the package, nor the other way round."""
    assert (ROOT / "ops/src/django_runbook/__init__.py").read_text("utf-8") == ""


@pytest.mark.slow
def test_locks_can_be_written_again(tmp_path):
    """`inv deps.lock` keeps what is locked, adds no address, and says nothing."""
    (tmp_path / "ops").mkdir()
    for name in ("pyproject.toml", "ops/pyproject.toml", "ops/README.md", "ops/LICENSE", *LOCKS):
        (tmp_path / name).write_bytes((ROOT / name).read_bytes())
    (tmp_path / "tasks.py").write_text(TASKS)
    done = Commands(tmp_path).run(BIN / "inv", "deps.lock", cwd=tmp_path)
    assert (done.code, done.out, done.err) == (0, "", "")
    for name in LOCKS:
        assert (tmp_path / name).read_text("utf-8") == (ROOT / name).read_text("utf-8")


def test_every_ignore_names_its_rule_and_its_reason():
    """So does each in what is shipped; what needs many is a setting, or better code."""
    files = [*ROOT.glob("ops/src/**/*.py"), *ROOT.glob("backend/**/*.py")]
    ignores = [
        (f"{file.relative_to(ROOT)}:{number}", line, found.start())
        for file in [*files, ROOT / "tasks.py", ROOT / "inv"]
        for number, line in enumerate(file.read_text("utf-8").splitlines(), 1)
        for found in SILENCED.finditer(line)
    ]
    assert [place for place, line, at in ignores if not WITH_REASON.match(line, at)] == []
    assert len([place for place, line, at in ignores if "noqa" in line[at:]]) <= 30
