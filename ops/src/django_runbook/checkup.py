"""One line of a doctor's report, as Django's side and Invoke's side both write it."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Line:
    """One thing looked at; ``fix`` is the command that mends it."""

    name: str
    ok: bool
    detail: str
    fix: str = ""

    def __str__(self) -> str:
        """Return the verdict, the name, what was found, and what mends it."""
        mend = "" if self.ok or not self.fix else f"  ->  {self.fix}"
        return f"{'OK' if self.ok else 'WRONG':<6} {self.name:<11} {self.detail}{mend}"
