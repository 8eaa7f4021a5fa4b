"""What proves a squash: frozen results, and the small file that is committed beside the squash.

The file stands in the folder ``proofs`` of the app's migrations, where Django looks for none: it
reads modules, and no folders.
"""

import ast
import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass, field
from enum import StrEnum
from hashlib import sha256
from pathlib import Path
from typing import Any

from django_runbook.schema.errors import MigrationsError
from django_runbook.schema.squash.squash_plan import SquashPlan

FOLDER = "proofs"
FORMAT = 1
NAMING = {"replaces", "dependencies", "run_before"}
#: The engine without which nothing is proved: it is the one that keeps names, types and order.
NEEDED = "postgresql"

#: Is told the engine, what is tried, and how far that is: steps done, and of how many.
Progress = Callable[[str, str, int, int], None]


class Check(StrEnum):
    """What is proved, each by itself."""

    ROUND_TRIP = "round trip"
    STATE = "state"
    AUTODETECTOR = "autodetector"
    SCHEMA = "schema"
    ROWS = "rows"
    SEEDED_ROWS = "rows of a seeded database"
    UPGRADE = "upgrade"
    TRANSITION = "transition"


@dataclass(frozen=True, kw_only=True)
class Defect:
    """One thing that is not as it was.

    ``segment`` is the file in which it arises, where that is known; ``place`` its operation that
    is the likely cause; ``at`` what was tried.
    """

    check: Check
    what: str
    segment: str = ""
    place: str = ""
    at: str = ""
    vendor: str = ""


@dataclass(frozen=True, kw_only=True)
class EngineProof:
    """What one engine showed.

    ``digests`` are those of the schema that the range's migrations and their parents build from
    zero: the old files', and the squashed ones'. ``names`` and ``order`` are differences that
    nothing depends on but a statement that spells them. ``states`` are the states in mid-chain from
    which Django's plan to the end was made, ``runs`` the distinct plans that were really run (two
    that do the same to the same are one). ``seconds``: from zero, the whole project, medians.
    ``untried`` are the files that were not tried on made-up rows of every table: the gaps say why.
    """

    vendor: str
    version: str
    origin: str
    digests: tuple[str, str] = ("", "")
    names: tuple[str, ...] = ()
    order: tuple[str, ...] = ()
    states: int = 0
    runs: int = 0
    rows: int = 0
    seeded_rows: int = 0
    seconds: tuple[float, float] = (0.0, 0.0)
    gaps: tuple[str, ...] = ()
    untried: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class SquashedFile:
    """A squashed file and what it replaces, with the hashes of all files."""

    name: str
    sha256: str
    replaces: Mapping[str, str]
    elided: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Proof:
    """That a squash gives the same, or what it does not.

    ``last`` is the range's last migration. ``refused`` are the states in which no database may be
    when the old files go. ``operations`` and ``files`` are numbers before and after.
    """

    app_label: str
    last: str
    files_proved: tuple[SquashedFile, ...]
    engines: tuple[EngineProof, ...] = ()
    defects: tuple[Defect, ...] = ()
    notes: tuple[str, ...] = ()
    refused: tuple[str, ...] = ()
    operations: tuple[int, int] = (0, 0)
    files: tuple[int, int] = (0, 0)
    versions: Mapping[str, str] = field(default_factory=dict)

    @property
    def holds(self) -> bool:
        """Whether nothing speaks against the squash."""
        return not self.defects

    @property
    def complete(self) -> bool:
        """Whether it is a proof: PostgreSQL was asked from zero, and nothing speaks against it."""
        asked = (engine for engine in self.engines if engine.vendor == NEEDED)
        return self.holds and any(all(engine.digests) for engine in asked)


def file_of(plan: SquashPlan) -> Path:
    """Return where the proof of a plan is kept: beside the squash, under its last file's name."""
    last = plan.segments[-1]
    return last.file.parent / FOLDER / f"{last.name}.json"


def text_of(proof: Proof) -> str:
    """Return the file's text: the same for the same proof."""
    return json.dumps({"format": FORMAT, **asdict(proof)}, indent=2) + "\n"


def read(file: Path) -> Proof:
    """Return the proof that a file holds. Raises ``MigrationsError`` for one that is none."""
    try:
        values = json.loads(file.read_text("utf-8"))
        if values.pop("format") != FORMAT:
            raise MigrationsError(
                f"{file} has another format than {FORMAT}: prove the squash anew."
            )
        return _proof(values)
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise MigrationsError(
            f"{file} is no proof of a squash ({error}): prove it anew."
        ) from error


def digest_of(text: str) -> str:
    """Return the SHA-256 of what a migration's file does.

    Without the names of other migrations, which change when those are squashed or the old files go,
    and without empty lines and comments on lines of their own: so it is the same before the
    transition and after it.
    """
    lines = [line.rstrip() for line in text.splitlines()]
    for first, last in _naming(text):
        lines[first - 1 : last] = [""] * (last - first + 1)
    said = "\n".join(line for line in lines if line and not line.lstrip().startswith("#"))
    return sha256(said.encode()).hexdigest()


def _naming(text: str) -> Iterator[tuple[int, int]]:
    """Yield the first and the last line of what names other migrations, counted from 1."""
    try:
        classes = [node for node in ast.parse(text).body if isinstance(node, ast.ClassDef)]
    except SyntaxError:
        return
    for node in (node for found in classes if found.name == "Migration" for node in found.body):
        targets = node.targets if isinstance(node, ast.Assign) else [getattr(node, "target", None)]
        if any(isinstance(target, ast.Name) and target.id in NAMING for target in targets):
            yield node.lineno, node.end_lineno or node.lineno


def _proof(values: dict[str, Any]) -> Proof:
    def tuples(found: dict[str, Any]) -> dict[str, Any]:
        return {key: tuple(v) if isinstance(v, list) else v for key, v in found.items()}

    parts: dict[str, Any] = {
        "files_proved": tuple(SquashedFile(**tuples(v)) for v in values.pop("files_proved")),
        "engines": tuple(EngineProof(**tuples(v)) for v in values.pop("engines")),
        "defects": tuple(
            Defect(**{**v, "check": Check(v["check"])}) for v in values.pop("defects")
        ),
    }
    return Proof(**{**tuples(values), **parts})
