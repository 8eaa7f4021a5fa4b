"""`manage.py dbshell`: Django's own, which becomes the client program instead of starting it."""

import os
import sys
from typing import Any

from django.core.management.base import CommandError, CommandParser
from django.core.management.commands.dbshell import Command as DjangoCommand

from django_runbook.schema.database.clients.read_only import read_only_client
from django_runbook.schema.database.clients.shell import database_client
from django_runbook.schema.database.target import target
from django_runbook.schema.errors import NoClientError, NotReadOnlyError
from django_runbook.schema.guard.commands import REFUSED, add_confirm, confirmed
from django_runbook.schema.guard.confirmation import in_test_run


class Command(DjangoCommand):
    """Takes Django's options, and some more. On a protected target it only reads, unless told to.

    Django starts the client and waits; for SQLite, Ctrl-C then ends the wait and kills the client.
    A client that takes this process's place has signals, terminal and exit code to itself.
    """

    def add_arguments(self, parser: CommandParser) -> None:
        """Add ``--read-only``, ``--write`` and ``--sql``."""
        super().add_arguments(parser)
        parser.add_argument(
            "--read-only", action="store_true", help="Refuse to write, unless the user insists."
        )
        parser.add_argument(
            "--write", action="store_true", help="Allow writing to a protected target."
        )
        parser.add_argument("--sql", help="Run this query and leave.")
        add_confirm(parser)

    def handle(self, **options: Any) -> None:
        """Become the client; exit code 1 where it is not installed, 3 where a guard refuses."""
        read_only = options["read_only"] or only_reads(options)
        given, warning = (options["database"], options["parameters"]), ""
        try:
            if read_only:
                client, warning = read_only_client(*given, sql=options["sql"])
            else:
                client = database_client(*given, sql=options["sql"])
        except NoClientError as missing:
            raise CommandError(str(missing)) from missing
        except NotReadOnlyError as refusal:
            code = REFUSED if refusal.asked else 1
            raise CommandError(str(refusal), returncode=code) from refusal
        for line in filter(None, (warning, client.warning())):
            self.stderr.write(line)
        sys.stdout.flush()
        os.execvpe(client.argv[0], client.argv, client.environment)


def only_reads(options: dict[str, Any]) -> bool:
    """Tell whether the shell may only read: a protected target, and nobody asked for more.

    Whoever writes there from a pipe or by ``--sql`` gives the name as well, for nobody can be
    asked. Raises ``CommandError`` with exit code 3 without it.
    """
    at = target(options["database"])
    if in_test_run():
        return False
    asked = not (options["sql"] or options["parameters"]) and sys.stdin.isatty()
    if at.protected and options["write"] and not asked:
        confirmed(options, "Write to")
        return False
    reads = at.protected and not options["write"]
    what = "Read-only shell (--write allows more)" if reads else "Shell"
    sys.stderr.write(f"{what}: {at}\n")
    sys.stderr.flush()
    return reads
