"""What the tasks cost over what they wrap: ``inv bench``."""

import sys
import tempfile
from pathlib import Path

from tests.benchmarks.pairs import BIN, ROOT, RUNS, compare

INV = str(BIN / "inv")
LAUNCHER = str(ROOT / "inv")
MANAGE = str(ROOT / "backend/manage.py")
IMPORT = [sys.executable, "-c", "import invoke"]
CHECK = [sys.executable, MANAGE, "check"]
#: What Invoke costs where the kit is not there.
FLOOR = """
import os
from invoke import task

@task
def bare(c):
    os.execv({argv!r}[0], {argv!r})
"""


def main() -> None:
    """Print each ratio with its bound."""
    print(f"medians of {RUNS} runs each, whole processes, in turn\n")
    pair = compare([LAUNCHER, "--list"], IMPORT)
    show("./inv --list", "import invoke", pair, "at most 0.75")
    pair = compare([LAUNCHER, "manage", "--", "check"], CHECK)
    show("./inv manage -- check", "manage.py check", pair, "at most 1.15")
    pair = compare([INV, "--list"], IMPORT)
    show(".venv/bin/inv --list", "import invoke", pair, "Invoke's own start")
    pair = compare([INV, "manage", "--", "check"], CHECK)
    show(".venv/bin/inv manage …", "manage.py check", pair, "Invoke's own start")
    with tempfile.TemporaryDirectory() as folder:
        Path(folder, "tasks.py").write_text(FLOOR.format(argv=CHECK))
        pair = compare([INV, "--search-root", folder, "bare"], CHECK)
        show("Invoke alone", "manage.py check", pair, "an empty task that execs, without the kit")
    pair = compare([INV, "check"], [INV, "types"], runs=9)
    show("inv check", "its slowest gate, types", pair, "at most 1.20")


def show(first: str, second: str, pair, bound: str) -> None:
    """Print one comparison."""
    print(f"{first:<24} {pair.first * 1e3:5.0f} ms")
    print(f"{second:<24} {pair.second * 1e3:5.0f} ms   ratio {pair.ratio:.2f}   ({bound})\n")


if __name__ == "__main__":
    main()
