"""`manage.py model_graph`: the models and their relations, as text for Graphviz or Mermaid."""

from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from django_runbook.schema.drawing import formats
from django_runbook.schema.drawing.relations import NoModelsError, NoReaderError, read

WRONG_USAGE = 2
FORMATS = {"dot": formats.dot, "mermaid": formats.mermaid}


class Command(BaseCommand):
    """Reads the models, not the database; the same models give the same text."""

    help = "Print the models and their relations as a graph (django-extensions' graph_models)"
    requires_system_checks = ()

    def add_arguments(self, parser: CommandParser) -> None:
        """Add ``--app``, ``--format`` and ``--root``."""
        parser.add_argument(
            "--app",
            action="append",
            default=[],
            metavar="LABEL",
            help="An app to draw; may be repeated (default: those whose code lies below --root).",
        )
        parser.add_argument(
            "--format", choices=FORMATS, default="dot", help="What to print (default: dot)."
        )
        parser.add_argument(
            "--root",
            type=Path,
            default=Path(),
            metavar="FOLDER",
            help="Where the project's own apps lie (default: the current folder).",
        )

    def handle(self, *_args: Any, **options: Any) -> None:
        """Print the graph; exit code 2 for an app that is not there or has no models."""
        try:
            graph = read(options["app"], options["root"].resolve())
        except NoModelsError as error:
            raise CommandError(str(error), returncode=WRONG_USAGE) from error
        except NoReaderError as error:
            raise CommandError(str(error)) from error
        self.stdout.write(FORMATS[options["format"]](graph), ending="")
