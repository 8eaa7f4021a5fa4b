"""What the tasks cost over what they wrap: ``inv bench``."""

import sys
import tempfile
from pathlib import Path

from tests.benchmarks.pairs import BIN, ROOT, RUNS, compare

INV = str(BIN / "inv")
#: What Invoke costs where the kit is not there.
FLOOR = """
import os
from invoke import task

@task
def bare(c):
    os.execv({argv!r}[0], {argv!r})
"""
MANAGE = str(ROOT / "backend/manage.py")


def main() -> None:
    """Print each ratio with its bound."""
    print(f"medians of {RUNS} runs each, whole processes, in turn\n")
    pair = compare([INV, "--list"], [sys.executable, "-c", "import invoke"])
    bound = 1.15 * pair.second + 0.030
    show("inv --list", "import invoke", pair, f"at most 1.15 times + 30 ms = {bound * 1e3:.0f} ms")
    pair = compare([INV, "manage", "--", "check"], [sys.executable, MANAGE, "check"])
    show("inv manage -- check", "manage.py check", pair, "at most 1.30 times")
    with tempfile.TemporaryDirectory() as folder:
        Path(folder, "tasks.py").write_text(FLOOR.format(argv=[sys.executable, MANAGE, "check"]))
        bare = [INV, "--search-root", folder, "bare"]
        floor = compare(bare, [sys.executable, MANAGE, "check"])
        show("Invoke alone", "manage.py check", floor, "the floor: an empty task that execs")
        pair = compare([INV, "manage", "--", "check"], bare)
        show("inv manage -- check", "Invoke alone", pair, "what the kit adds")
    pair = compare([str(ROOT / "inv"), "--version"], [INV, "--version"])
    extra = (pair.first - pair.second) * 1e3
    show("./inv", ".venv/bin/inv", pair, f"{extra:+.0f} ms, at most +50 ms")
    pair = compare([INV, "check"], [INV, "types"], runs=9)
    show("inv check", "its slowest gate, types", pair, "at most 1.20 times")


def show(first: str, second: str, pair, bound: str) -> None:
    """Print one comparison."""
    print(f"{first:<20} {pair.first * 1e3:7.0f} ms")
    print(f"{second:<24} {pair.second * 1e3:3.0f} ms   ratio {pair.ratio:.2f}   ({bound})\n")


if __name__ == "__main__":
    main()
