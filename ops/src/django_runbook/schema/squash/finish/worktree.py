"""What git says of the files that are about to change."""

import shutil
from collections import Counter
from collections.abc import Iterable
from pathlib import Path

from django_runbook.schema.errors import MigrationsError
from django_runbook.schema.history.git import git
from django_runbook.schema.history.graph import Key


def require_clean(folder: Path, files: Iterable[Path]) -> Path:
    """Return the top of the work tree. Raises ``MigrationsError`` unless git can bring all back.

    Each of the files is committed, and no tracked file anywhere differs from its commit. Untracked
    files elsewhere are nobody's business.
    """
    if shutil.which("git") is None:
        raise MigrationsError("git is not installed, and old files go only where it keeps them.")
    done = git(folder, "rev-parse", "--show-toplevel")
    if done.returncode:
        raise MigrationsError(
            f"{folder} is in no work tree of git, and old files go only where git keeps them: "
            "run 'git init', and commit."
        )
    top = Path(done.stdout.removesuffix("\n")).resolve()
    status = git(top, "status", "--porcelain=v1", "-z", "--untracked-files=no", "--no-renames")
    if changed := [line[3:] for line in status.stdout.split("\0") if line]:
        more = f" and {len(changed) - 1} more differ" if changed[1:] else " differs"
        raise MigrationsError(
            f"The work tree is not clean: {changed[0]}{more} from the last commit. Commit that, "
            "or run 'git stash'."
        )
    for file in files:
        inside = file.resolve().is_relative_to(top)
        if not inside or git(top, "ls-files", "--error-unmatch", "--", str(file)).returncode:
            raise MigrationsError(
                f"{file} is not tracked by git, which could not bring it back. Commit it first."
            )
    return top


def require_committed(folder: Path) -> None:
    """Raise ``MigrationsError`` where git sees changes in a folder; without git, it is clean."""
    if shutil.which("git") is None:
        return
    done = git(folder, "status", "--porcelain=v1", "-z", "--no-renames", "--", ".")
    if done.returncode == 0 and done.stdout:
        raise MigrationsError(
            f"{done.stdout.split(chr(0))[0][3:]} is not committed. Commit it, so that the squash "
            "can be told apart."
        )


def mentions(
    top: Path, keys: Iterable[Key], known: Iterable[Key], without: Iterable[Path]
) -> tuple[str, ...]:
    """Return the tracked files that name one of these migrations, beside those given.

    ``known`` are all migrations: a name that other apps have, too, counts behind its app's alone.
    """
    patterns: list[str] = []
    times = Counter(name for _, name in known)
    for app, name in sorted(keys):
        before = "" if times[name] == 1 else rf"\b{app}[^[:alnum:]]+(migrations[^[:alnum:]]+)?"
        patterns += ["-e", rf"{before}\b{name}\b"]
    if not patterns:
        return ()
    done = git(top, "grep", "-l", "-z", "-E", "-I", *patterns)
    left_out = {file.resolve() for file in without}
    found = (path for path in done.stdout.split("\0") if path)
    return tuple(path for path in found if (top / path).resolve() not in left_out)
