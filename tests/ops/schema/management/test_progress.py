"""The progress of a long command: one line on a terminal, a line for each thing elsewhere."""

from io import StringIO

from django.core.management.base import OutputWrapper

from django_runbook.schema.management.progress import Progress


class Terminal(StringIO):
    """A stream that is a terminal."""

    def isatty(self) -> bool:
        """Say so."""
        return True


def test_progress_is_one_line_on_a_terminal() -> None:
    """It changes, and is gone in the end; elsewhere there is a line for each thing tried."""
    terminal, file = Terminal(), StringIO()
    for stream in (terminal, file):
        progress = Progress(OutputWrapper(stream))
        progress("sqlite", "from zero", 1, 2)
        progress("sqlite", "from zero", 2, 2)
        progress("postgresql", "from zero", 1, 2)
        progress.close()
    assert terminal.getvalue() == (
        "\r\033[Ksqlite: from zero 1/2\r\033[Ksqlite: from zero 2/2"
        "\r\033[Kpostgresql: from zero 1/2\r\033[K"
    )
    assert file.getvalue() == "sqlite: from zero (2)\npostgresql: from zero (2)\n"
