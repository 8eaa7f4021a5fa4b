"""Wheels of what is installed here, so that another environment can be made without an index."""

import subprocess
import sys
import zipfile
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path

from packaging.requirements import Requirement
from packaging.tags import sys_tags
from packaging.utils import canonicalize_name

#: What an installer writes beside a wheel's own files.
INSTALLERS = {"INSTALLER", "REQUESTED", "RECORD", "direct_url.json"}


def needed(requirement: str) -> set[str]:
    """Return the distributions that a requirement brings, itself included."""
    found: set[str] = set()
    todo = [Requirement(requirement)]
    seen: set[tuple[str, frozenset[str]]] = set()
    while todo:
        one = todo.pop()
        key = (canonicalize_name(one.name), frozenset(one.extras))
        if key in seen:
            continue
        seen.add(key)
        found.add(key[0])
        for text in metadata.requires(one.name) or ():
            below = Requirement(text)
            wanted = [{"extra": extra} for extra in ("", *one.extras)]
            if below.marker is None or any(map(below.marker.evaluate, wanted)):
                todo.append(below)
    return found


def repack(name: str, folder: Path) -> Path:
    """Make a wheel of an installed distribution. Scripts of entry points are made anew by pip."""
    found = metadata.distribution(name)
    tags = [line.partition(": ")[2] for line in (found.read_text("WHEEL") or "").splitlines()]
    known = list(map(str, sys_tags()))
    tag = min((each for each in tags if each in known), key=known.index)
    stem = f"{name.replace('-', '_')}-{found.version}"
    wheel = folder / f"{stem}-{tag}.whl"
    with zipfile.ZipFile(wheel, "w") as archive:
        names = []
        for inside, file in _files(found, stem):
            info = zipfile.ZipInfo(inside)
            info.external_attr = file.stat().st_mode << 16
            archive.writestr(info, file.read_bytes())
            names.append(inside)
        record = next(each for each in names if each.endswith(".dist-info/METADATA"))
        record = record.replace("METADATA", "RECORD")
        archive.writestr(record, "".join(f'"{each}",,\n' for each in (*names, record)))
    return wheel


def _files(found: metadata.Distribution, stem: str) -> Iterator[tuple[str, Path]]:
    """Yield each file with its name inside the wheel."""
    made = {entry.name for entry in found.entry_points if entry.group == "console_scripts"}
    for each in found.files or ():
        file = Path(str(each.locate()))
        if each.name in INSTALLERS or each.suffix == ".pyc" or not file.is_file():
            continue
        if each.parts[0] != "..":
            yield str(each), file
        elif each.parent.name == "bin" and each.name not in made:
            yield f"{stem}.data/scripts/{each.name}", file


def environment(folder: Path, wheels: Path, *requirements: str) -> Path:
    """Make an environment of these requirements with venv and pip alone; return its programs."""
    subprocess.run([sys.executable, "-m", "venv", folder], check=True)
    pip = [folder / "bin/python", "-m", "pip", "--isolated", "--disable-pip-version-check"]
    install = ["install", "--quiet", "--no-index", f"--find-links={wheels}", *requirements]
    subprocess.run([*pip, *install], check=True, env={"PIP_CONFIG_FILE": "/dev/null"})
    return folder / "bin"
