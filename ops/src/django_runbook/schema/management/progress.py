"""How far a long proof is, on standard error."""

from django.core.management.base import OutputWrapper


class Progress:
    """Writes one line that changes on a terminal, and one for each thing tried elsewhere."""

    def __init__(self, out: OutputWrapper, *, quiet: bool = False) -> None:
        self._out = out
        self._quiet = quiet
        self._last = ""

    def __call__(self, vendor: str, what: str, done: int, total: int) -> None:
        """Say what is tried on an engine, and how far that is."""
        title = f"{vendor}: {what}"
        if self._quiet:
            return
        if self._out.isatty():
            self._write(f"\r\033[K{title} {done}/{total}")
        elif title != self._last:
            self._write(f"{title} ({total})\n")
        self._last = title

    def close(self) -> None:
        """Clear the line."""
        if self._last and self._out.isatty():
            self._write("\r\033[K")

    def _write(self, text: str) -> None:
        self._out.write(text, str, "")  # neither red, nor with an end of line
        self._out.flush()
