"""What stands beside a backup, in a small JSON file: the state that it holds, and its checksum."""

import datetime
import hashlib
import json
from dataclasses import asdict, dataclass
from pathlib import Path

from django_runbook.schema.errors import BackupRefusedError

FORMAT = 1


@dataclass(frozen=True, kw_only=True)
class Manifest:
    """``created`` is aware UTC, ``migrations`` are sorted ``app.name``, ``size`` is in bytes.

    ``server`` and ``system`` are what the server said of itself, in older manifests nothing.
    """

    format: int
    engine: str
    server_version: str
    database: str
    created: datetime.datetime
    migrations: tuple[str, ...]
    sha256: str
    size: int
    server: str = ""
    system: str = ""

    def to_json(self) -> str:
        """Return one JSON object, with the time in ISO 8601."""
        return json.dumps(asdict(self), default=datetime.datetime.isoformat, indent=2) + "\n"


def beside(file: Path) -> Path:
    """Return where the manifest of a backup stands."""
    return file.with_name(f"{file.name}.json")


def checksum(file: Path) -> str:
    """Return the SHA-256 of a file, as 64 hexadecimal digits."""
    with file.open("rb") as content:
        return hashlib.file_digest(content, "sha256").hexdigest()


def verified(file: Path) -> Manifest:
    """Return the manifest of a backup that is, byte for byte, what was written.

    Raises ``BackupRefusedError`` where one of the two is absent, unreadable or changed.
    """
    manifest = described(file)
    try:
        unchanged = file.stat().st_size == manifest.size and checksum(file) == manifest.sha256
    except OSError as error:
        raise BackupRefusedError(f"{file} cannot be read: {error.strerror}.") from error
    if not unchanged:
        raise BackupRefusedError(
            f"{file} is not the file that {beside(file).name} was written for: its size or SHA-256 "
            "differs. Copy both again, or restore another backup."
        )
    return manifest


def described(file: Path) -> Manifest:
    """Return the manifest of a backup, whose content may have changed since.

    Raises ``BackupRefusedError`` where one of the two is absent, or the manifest unreadable.
    """
    if not file.is_file():
        raise BackupRefusedError(f"{file} is no file: name a backup that 'inv db.backup' wrote.")
    return _read(beside(file))


def _read(file: Path) -> Manifest:
    try:
        values = json.loads(file.read_text("utf-8"))
        if values["format"] != FORMAT:
            values = {}
        values["created"] = datetime.datetime.fromisoformat(values["created"])
        values["migrations"] = tuple(map(str, values["migrations"]))
        return Manifest(**values)
    except FileNotFoundError as error:
        raise BackupRefusedError(
            f"{file} is missing, and tells which migrations the backup holds: "
            "copy it here from where the backup was made."
        ) from error
    except OSError as error:
        raise BackupRefusedError(f"{file} cannot be read: {error.strerror}.") from error
    except (KeyError, TypeError, ValueError) as error:
        raise BackupRefusedError(
            f"{file} does not describe a backup in format {FORMAT}: "
            "copy it again from where the backup was made."
        ) from error
