"""Makes and restores backups of a database, with the database's own tools."""

import datetime
import os
import re
import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path

from django.conf import settings
from django.db import DEFAULT_DB_ALIAS, connections

from django_runbook.schema.database import manifests
from django_runbook.schema.database.dumps.engines import ENGINES, Engine
from django_runbook.schema.database.files import NoSuchFileError, require_file
from django_runbook.schema.database.manifests import Manifest
from django_runbook.schema.database.states import applied, changes_state, require_same_state
from django_runbook.schema.database.target import absent, unapplied
from django_runbook.schema.errors import BackupFailedError, BackupRefusedError
from django_runbook.schema.wording import counted
from django_runbook.text.cleaning import one_line

OWNER_ONLY = 0o600
OWNER_ONLY_FOLDER = 0o700


@dataclass(frozen=True, kw_only=True)
class BackupResult:
    """The file that was written, absolute, its manifest, and what the program was not told."""

    file: Path
    manifest: Manifest
    warning: str


@dataclass(frozen=True, kw_only=True)
class RestoreResult:
    """What was restored, whether other migrations are applied now, and which are still missing.

    ``replaced`` is a backup of what was there before, where one was wanted and anything was there.
    ``warning`` says what the program was not told.
    """

    file: Path
    manifest: Manifest
    state_changed: bool
    unapplied: tuple[str, ...]
    replaced: Path | None
    warning: str


def described(file: Path) -> str:
    """Return in one line what a backup holds, as its manifest says; the file itself is not read.

    Raises ``BackupRefusedError`` where there is none, or no manifest beside it.
    """
    manifest = manifests.described(file)
    server = manifest.server or "an unknown server"
    system = f", system {manifest.system}" if manifest.system else ""
    migrations = counted(len(manifest.migrations), "migration")
    return one_line(
        f"{file} holds {manifest.database} from {server} ({manifest.engine} "
        f"{manifest.server_version}{system}), {manifest.created:%Y-%m-%d %H:%M} UTC: "
        f"{migrations}, {counted(manifest.size, 'byte')}"
    )


def backup(
    output: Path | None = None,
    *,
    now: datetime.datetime,
    alias: str = DEFAULT_DB_ALIAS,
    mark: str = "",
) -> BackupResult:
    """Write the database to ``output`` and its manifest beside it, readable by the owner alone.

    Both appear complete or not at all, the manifest first. ``now`` (aware UTC) is recorded, and
    names the file where there is no ``output``, with ``mark`` behind it. Raises
    ``BackupRefusedError`` for a file that
    exists, ``BackupFailedError`` and ``NoClientError``.
    """
    engine = _engine(alias)
    try:
        require_file(connections[alias])
    except NoSuchFileError as error:
        raise BackupFailedError(str(error)) from error
    file = (output or default_file(alias, now, mark)).absolute()
    record = manifests.beside(file)
    for path in (file, record):
        if os.path.lexists(path):
            raise _exists(path)
    connections[alias].ensure_connection()  # before a folder is made
    try:
        if output is None:
            _make_folder(file.parent)
        with tempfile.TemporaryDirectory(prefix=".backup-", dir=file.parent) as folder:
            dump = Path(folder, "dump")
            dump.touch(OWNER_ONLY)
            manifest, warning = _dump(engine, alias, dump, now)
            text = Path(folder, "manifest")
            text.touch(OWNER_ONLY)
            text.write_text(manifest.to_json(), "utf-8")
            _publish({text: record, dump: file})
    except OSError as error:
        raise BackupFailedError(
            f"{file} cannot be written: {error.strerror}. Name another with --output."
        ) from error
    return BackupResult(file=file, manifest=manifest, warning=warning)


def restore(
    file: Path,
    *,
    alias: str = DEFAULT_DB_ALIAS,
    allow_state_change: bool = False,
    privileges: bool = True,
    saved_at: datetime.datetime | None = None,
) -> RestoreResult:
    """Replace all that is in the database by what a backup holds, or change nothing.

    ``privileges``: restore PostgreSQL's grants too, whose roles must exist. ``saved_at`` (aware
    UTC): save what is replaced first, under a name with this time; where that fails, nothing is
    restored. Raises
    ``BackupRefusedError`` for a file that is not as it was written, for another engine, and for
    another state unless ``allow_state_change``; ``BackupFailedError`` and ``NoClientError``.
    """
    file = file.absolute()
    engine = _engine(alias)
    manifest = manifests.verified(file)
    here = connections[alias].vendor
    if manifest.engine != here:
        raise BackupRefusedError(
            f"{file} is a backup of {manifest.engine}, and the database is {here}: "
            "set DATABASE_URL to one of that kind."
        )
    if not allow_state_change:
        require_same_state(manifest.migrations, alias)
    changed = changes_state(manifest.migrations, alias)
    replaced = _save_replaced(alias, saved_at) if saved_at else None
    warning = engine.load(alias, file, privileges=privileges)
    return RestoreResult(
        file=file,
        manifest=manifest,
        state_changed=changed,
        unapplied=tuple(unapplied(alias)),
        replaced=replaced,
        warning=warning,
    )


def default_file(alias: str, now: datetime.datetime, mark: str = "") -> Path:
    """Return a new name under ``var/backups``, or under ``backups`` of the current folder.

    ``var`` is that of the repository: beside or above ``settings.BASE_DIR``.
    """
    base = Path(getattr(settings, "BASE_DIR", Path.cwd()))
    places = [folder / "var" for folder in (base, base.parent) if (folder / "var").is_dir()]
    folder = places[0] / "backups" if places else Path("backups")
    suffix = _engine(alias).suffix
    name = re.sub(r"[^\w.-]", "_", Path(_name(alias)).name.removesuffix(suffix))
    utc = now.astimezone(datetime.UTC)
    return folder / f"{name}-{utc:%Y%m%dT%H%M%SZ}{mark}{suffix}"


def _save_replaced(alias: str, now: datetime.datetime) -> Path | None:
    """Save what a restore would replace; an empty database is nothing to save."""
    if absent(alias) or not connections[alias].introspection.table_names():
        return None
    return backup(now=now, alias=alias, mark="-replaced").file


def _dump(engine: Engine, alias: str, file: Path, now: datetime.datetime) -> tuple[Manifest, str]:
    """Fill ``file``; return what it is, and a warning.

    Raises ``BackupFailedError`` where the database was migrated meanwhile: the recorded migrations
    must belong to the state that the dump saw.
    """
    version = ".".join(map(str, connections[alias].get_database_version()))
    before = applied(alias)
    origin = engine.dump(alias, file)
    if applied(alias) != before:
        raise BackupFailedError("The database was migrated during the backup: run it again.")
    manifest = Manifest(
        format=manifests.FORMAT,
        engine=connections[alias].vendor,
        server_version=version,
        database=Path(_name(alias)).name,
        created=now.astimezone(datetime.UTC),
        migrations=before,
        sha256=manifests.checksum(file),
        size=file.stat().st_size,
        server=origin.server,
        system=origin.system,
    )
    return manifest, origin.warning


def _publish(files: dict[Path, Path]) -> None:
    """Give finished files their names, where no file is; all of them or none."""
    done: list[Path] = []
    try:
        for temporary, file in files.items():
            _sync(temporary)
            try:
                os.link(temporary, file)
            except FileExistsError as error:
                raise _exists(file) from error
            except OSError:  # a file system without hard links
                if os.path.lexists(file):
                    raise _exists(file) from None
                shutil.move(temporary, file)
            done.append(file)
        _sync(done[0].parent)
    except BaseException:
        for file in done:
            file.unlink(missing_ok=True)
        raise


def _sync(path: Path) -> None:
    """Have a file or a folder written to the disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _make_folder(folder: Path) -> None:
    """Make the folder for backups; git leaves it alone, for rows of users are no source."""
    if not folder.is_dir():
        folder.mkdir(OWNER_ONLY_FOLDER, parents=True)
        Path(folder, ".gitignore").write_text("*\n", "utf-8")


def _exists(file: Path) -> BackupRefusedError:
    return BackupRefusedError(f"{file} exists, and no backup is overwritten: name another file.")


def _name(alias: str) -> str:
    return str(connections[alias].settings_dict["NAME"])


def _engine(alias: str) -> Engine:
    """Return how this engine is dumped and restored."""
    vendor = connections[alias].vendor
    if vendor not in ENGINES:
        raise BackupRefusedError(f"{vendor} cannot be backed up; these can: {', '.join(ENGINES)}.")
    return ENGINES[vendor]
