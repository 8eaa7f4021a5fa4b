"""The migrations that are new in git."""

import ast
import shutil
from collections.abc import Iterable
from pathlib import Path, PurePosixPath

from django.db.migrations.loader import MigrationLoader

from django_runbook.schema.errors import MigrationsError
from django_runbook.schema.history.git import git
from django_runbook.schema.history.graph import Key, file_of, is_installed, loaded

SUBMODULE = "160000"


def new_since(ref: str) -> tuple[Key, ...]:
    """Return the migrations whose files were not there at the merge base of ``ref`` and HEAD.

    In the order of applying. What is staged or untracked is new as well; what git ignores, what is
    installed and what lies outside the current folder's repository never is; nor is a file that
    moved with its app's folder, where the app kept its label. Raises ``MigrationsError`` with what
    mends it.
    """
    root = _root()
    base = _merge_base(root, ref)
    loader = loaded()
    files = {file_of(migration): key for key, migration in loader.disk_migrations.items()}
    own = {
        file: key
        for file, key in files.items()
        if file.is_relative_to(root) and not is_installed(file)
    }
    new: set[Key] = set()
    for repository, commit in _repositories(root, base, own):
        inside = {
            file.relative_to(repository).as_posix(): key
            for file, key in own.items()
            if _top(file, root) == repository
        }
        new |= _new_in(repository, commit, inside)
    return _in_order(loader, new)


def _root() -> Path:
    """Return the repository of the current folder."""
    if shutil.which("git") is None:
        raise MigrationsError("git is not installed, and --since asks it: sudo apt install git.")
    done = git(Path.cwd(), "rev-parse", "--show-toplevel")
    if done.returncode:
        said = done.stderr.strip().partition("\n")[0].removeprefix("fatal: ")
        raise MigrationsError(f"--since asks git, which says in {Path.cwd()}: {said}.")
    return Path(done.stdout.rstrip("\n")).resolve()


def _merge_base(root: Path, ref: str) -> str:
    if not ref or ref.startswith("-"):
        raise MigrationsError(f"--since takes a branch, a tag or a commit, not '{ref}'.")
    shallow = git(root, "rev-parse", "--is-shallow-repository").stdout.strip() == "true"
    deepen = "Run 'git fetch --deepen=1000', or 'git fetch --unshallow' for all of it."
    done = git(root, "rev-parse", "--verify", "--quiet", "--end-of-options", f"{ref}^{{commit}}")
    if done.returncode:
        hint = f"This clone is shallow. {deepen}" if shallow else "Run 'git fetch --all --tags'."
        raise MigrationsError(f"--since: git knows no commit '{ref}' here. {hint}")
    found = git(root, "merge-base", done.stdout.strip(), "HEAD")
    if found.returncode:
        hint = f"this clone is shallow. {deepen}" if shallow else "their histories are unrelated."
        raise MigrationsError(f"--since: '{ref}' and HEAD have no commit in common: {hint}")
    return found.stdout.strip()


def _repositories(root: Path, base: str, own: Iterable[Path]) -> list[tuple[Path, str]]:
    """Return the repository and the submodules in which migrations lie, each with its commit then.

    The commit of a submodule that was not there then is empty.
    """
    found = [(root, base)]
    for top in sorted({_top(file, root) for file in own} - {root}):
        path = top.relative_to(root).as_posix()
        entry = git(root, "ls-tree", "-z", base, "--", path).stdout.split()
        found.append((top, entry[2] if entry and entry[0] == SUBMODULE else ""))
    return found


def _top(file: Path, root: Path) -> Path:
    """Return the innermost repository of a file: ``root`` or a submodule below it."""
    inside = [folder for folder in file.parents if folder.is_relative_to(root)]
    return next((folder for folder in inside if (folder / ".git").exists()), root)


def _new_in(repository: Path, commit: str, files: dict[str, Key]) -> set[Key]:
    listed = git(repository, "ls-tree", "-r", "-z", "--name-only", commit) if commit else None
    if listed and listed.returncode:
        raise MigrationsError(
            f"--since: the submodule {repository.name} lacks its commit {commit[:12]}. "
            f"Run 'git -C {repository} fetch --unshallow'."
        )
    before = set(listed.stdout.split("\0")) if listed else set()
    candidates = [path for path in files if path not in before]
    ignored = git(
        repository, "check-ignore", "-z", "--stdin", text="".join(f"{it}\0" for it in candidates)
    ).stdout.split("\0")
    gone = {path for path in before if path.endswith(".py") and not (repository / path).exists()}
    moved = _moved(repository, commit, gone)
    return {files[path] for path in candidates if path not in ignored} - moved


def _moved(repository: Path, commit: str, gone: Iterable[str]) -> set[Key]:
    """Return the keys of files that were there then, and are not now."""
    labels: dict[PurePosixPath, str] = {}
    keys = set()
    for path in map(PurePosixPath, gone):
        app = path.parent.parent
        if path.parent.name == "migrations":
            if app not in labels:
                text = git(repository, "show", f"{commit}:{app}/apps.py").stdout
                labels[app] = _label(text) or app.name
            keys.add((labels[app], path.stem))
    return keys


def _label(text: str) -> str:
    """Return the label that the text of an ``apps.py`` gives its app; nothing for the default."""
    try:
        tree = ast.parse(text)
    except (SyntaxError, ValueError):
        return ""
    for node in ast.walk(tree):
        match node:
            case (
                ast.Assign(targets=[ast.Name(id="label")], value=ast.Constant(value=str(label)))
                | ast.AnnAssign(target=ast.Name(id="label"), value=ast.Constant(value=str(label)))
            ):
                return label
            case _:
                continue
    return ""


def _in_order(loader: MigrationLoader, new: set[Key]) -> tuple[Key, ...]:
    """Sort by the graph; what another migration replaces comes directly before that one."""
    ordered: list[Key] = []
    plan = [node for leaf in loader.graph.leaf_nodes() for node in loader.graph.forwards_plan(leaf)]
    for node in dict.fromkeys(plan):
        replaced = loader.graph.nodes[node].replaces if node in loader.graph.nodes else ()
        ordered += [(key[0], key[1]) for key in replaced if tuple(key) in new]
        ordered.append(node)
    return tuple(dict.fromkeys([*(key for key in ordered if key in new), *sorted(new)]))
