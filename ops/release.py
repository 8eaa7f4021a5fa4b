"""Builds the sdist and the wheel of this package: `python ops/release.py FOLDER`.

Built twice, and the wheel once more from the sdist: the same bytes each time. What they hold is
compared with what git knows.
"""

import os
import subprocess
import sys
import tarfile
import tempfile
import zipfile
from collections.abc import Iterable
from pathlib import Path

PACKAGE = Path(__file__).resolve().parent
#: Beside the package itself, in an sdist.
BESIDE = ("LICENSE", "README.md", "pyproject.toml")
METADATA = ("METADATA", "RECORD", "WHEEL", "licenses/LICENSE")
BUILD = "import sys; from flit_core import buildapi; print(buildapi.build_{what}(sys.argv[1]))"


class WrongContentError(Exception):
    """Something is missing or too much, or two builds differ. The message names it."""


def build(folder: Path, package: Path = PACKAGE) -> list[Path]:
    """Make the sdist and the wheel in ``folder``, which may be new. Raises ``WrongContentError``.

    Their times are that of the last commit, so that whoever builds it gets the same bytes.
    """
    folder = folder.resolve()
    folder.mkdir(parents=True, exist_ok=True)
    known, when = tracked(package), _git(package, "log", "-1", "--format=%ct").strip()
    with tempfile.TemporaryDirectory() as second, tempfile.TemporaryDirectory() as unpacked:
        made = [_build(package, folder, what, when) for what in ("sdist", "wheel")]
        again = [_build(package, Path(second), what, when) for what in ("sdist", "wheel")]
        sdist, wheel = made
        with tarfile.open(sdist) as archive:
            archive.extractall(unpacked, filter="data")
        (root,) = Path(unpacked).iterdir()
        from_sdist = _build(root, Path(second), "wheel", when)
        _require_same([*zip(made, again, strict=True), (wheel, from_sdist)])
    _require(sdist.name, in_sdist(sdist), {*BESIDE, "PKG-INFO", *known})
    name = "-".join(wheel.name.split("-")[:2])
    modules = {file.removeprefix("src/") for file in known}
    _require(wheel.name, in_wheel(wheel), modules | {f"{name}.dist-info/{f}" for f in METADATA})
    return made


def tracked(package: Path) -> set[str]:
    """Return the files of the importable package that git knows, from the folder ``package``."""
    listed = _git(package, "ls-files", "-z", "src").split("\0")
    return {file for file in listed if file and (package / file).exists()}


def in_sdist(file: Path) -> set[str]:
    """Return the files in an sdist, without its own folder."""
    with tarfile.open(file) as archive:
        return {each.name.partition("/")[2] for each in archive.getmembers() if each.isfile()}


def in_wheel(file: Path) -> set[str]:
    """Return the files in a wheel."""
    with zipfile.ZipFile(file) as archive:
        return set(archive.namelist())


def _build(package: Path, folder: Path, what: str, when: str) -> Path:
    """Build with this very Python, by the backend that pyproject.toml names."""
    done = subprocess.run(
        [sys.executable, "-c", BUILD.format(what=what), str(folder)],
        cwd=package,
        env={**os.environ, "SOURCE_DATE_EPOCH": when},
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    return folder / done.stdout.strip()


def _git(folder: Path, *argv: str) -> str:
    done = subprocess.run(["git", "-C", str(folder), *argv], stdout=subprocess.PIPE, check=True)
    return done.stdout.decode()


def _require_same(pairs: Iterable[tuple[Path, Path]]) -> None:
    for one, other in pairs:
        if one.read_bytes() != other.read_bytes():
            raise WrongContentError(f"{one.name}: two builds differ.")


def _require(name: str, found: set[str], wanted: set[str]) -> None:
    """Raise ``WrongContentError`` for the first file that is missing or too much."""
    if missing := sorted(wanted - found):
        raise WrongContentError(f"{name} lacks {missing[0]}.")
    if more := sorted(found - wanted):
        raise WrongContentError(f"{name} holds {more[0]}, which git does not know.")


def main() -> None:
    """Build into the folder that is named, and say what was made."""
    try:
        made = build(Path(sys.argv[1]))
    except WrongContentError as error:
        sys.exit(str(error))
    except subprocess.CalledProcessError as error:
        sys.exit(f"{error.cmd[0]} failed with exit code {error.returncode}.")
    except OSError as error:
        sys.exit(f"{error.filename}: {error.strerror}. Look there, or name another with --folder.")
    for file in made:
        print(f"Built {os.path.relpath(file)} ({file.stat().st_size:,} bytes)")


if __name__ == "__main__":
    main()
