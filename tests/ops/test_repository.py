"""What must hold for the whole tree."""

import re
import subprocess
import sys
import tomllib

import pytest

from ops.tasks import readme
from tasks import ns
from tests.commands import BIN, ROOT, Commands

LOCKS = ("requirements.txt", "requirements-dev.txt")


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
    lines = [line for line in text.splitlines() if not line.lstrip().startswith("#")]
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
        assert names - set(pins[name]) == set()
    run_time, development = pins.values()
    assert run_time.items() <= development.items()


def test_every_dependency_says_why_it_is_there():
    """In pyproject.toml a comment stands behind each."""
    text = (ROOT / "pyproject.toml").read_text("utf-8")
    listed = re.findall(
        r"^    \"[^\"]+\",(.*)$",
        text.partition("[dependency-groups]")[2].partition("[tool.flit")[0],
        re.MULTILINE,
    )
    listed += re.findall(
        r"^    \"[^\"]+\",(.*)$",
        text.partition("dependencies = [")[2].partition("]\n")[0],
        re.MULTILINE,
    )
    assert len(listed) > 15
    assert [line for line in listed if "# " not in line] == []


def test_files_are_short():
    """No module of the kit or the product is longer than about 250 lines."""
    files = [*ROOT.glob("ops/**/*.py"), *ROOT.glob("backend/**/*.py"), ROOT / "tasks.py"]
    long = {str(file): len(file.read_text("utf-8").splitlines()) for file in files}
    assert {name: lines for name, lines in long.items() if lines > 250} == {}


def test_readme_has_the_table_of_the_tasks():
    """The table in README.md is the one that the tasks make: `inv readme` writes it."""
    text = (ROOT / "README.md").read_text("utf-8")
    assert readme.table(ns) in text


def test_kit_root_package_is_empty():
    """The Django side never loads Invoke through the package, nor the other way round."""
    assert (ROOT / "ops/__init__.py").read_text("utf-8") == ""


@pytest.mark.slow
def test_locks_can_be_written_again(tmp_path):
    """`inv deps.lock` keeps what is locked, adds no address, and says nothing."""
    for name in ("pyproject.toml", "README.md", "LICENSE", *LOCKS):
        (tmp_path / name).write_bytes((ROOT / name).read_bytes())
    tasks = "from pathlib import Path\nfrom ops.tasks import kit\nns = kit(Path(__file__).parent)\n"
    (tmp_path / "tasks.py").write_text(tasks)
    done = Commands(tmp_path).run(BIN / "inv", "deps.lock", cwd=tmp_path)
    assert (done.code, done.out, done.err) == (0, "", "")
    for name in LOCKS:
        assert (tmp_path / name).read_text("utf-8") == (ROOT / name).read_text("utf-8")
