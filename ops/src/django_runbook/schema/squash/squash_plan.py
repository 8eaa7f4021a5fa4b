"""What a squash is made of: frozen, and printed elsewhere."""

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, kw_only=True)
class Blocker:
    """Why migrations cannot be squashed into one: which, the reason, and what would mend it."""

    migration: str
    reason: str
    fix: str = ""


@dataclass(frozen=True, kw_only=True)
class Segment:
    """A range of migrations of one app that become one file.

    ``names`` are those that it replaces, ``text`` the whole file; ``before`` and ``after`` numbers
    of operations; ``elided`` the data migrations that were left out, as ``0003_fill: function``.
    """

    app_label: str
    name: str
    names: tuple[str, ...]
    file: Path
    text: str
    before: int
    after: int
    elided: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class SquashPlan:
    """What a range of an app's migrations becomes: segments, and single ones that stay."""

    app_label: str
    segments: tuple[Segment, ...]
    kept: tuple[str, ...] = ()
    blockers: tuple[Blocker, ...] = ()
