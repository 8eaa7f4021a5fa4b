"""Does what a job should not do."""

import getpass
import os
import subprocess
import sys
import time
from pathlib import Path

from django.core.management import call_command
from django.core.management.base import BaseCommand
from django.db import connection


class Command(BaseCommand):
    """One odd thing by its name."""

    def add_arguments(self, parser):
        """Add the thing, and for how long or with what."""
        parser.add_argument("what")
        parser.add_argument("number", type=int, nargs="?", default=0)

    def handle(self, *_args, what, number, **_options):
        """Do it."""
        getattr(self, what)(number)

    def code(self, number):
        """End with an exit code that means something to the kit alone."""
        sys.exit(number)

    def ask(self, _number):
        """Ask, as a command does that is meant for a person."""
        input("Sure? ")

    def ask_secretly(self, _number):
        """Ask the terminal itself."""
        getpass.getpass()

    def linger(self, number):
        """Run for a while, and a child of one's own too."""
        child = subprocess.Popen(["sleep", str(number)])
        print(os.getpid(), child.pid, flush=True)
        time.sleep(number)

    def flush(self, _number):
        """Empty every table, the ledger's too."""
        call_command("flush", interactive=False, verbosity=0)
        time.sleep(1)

    def unmake(self, _number):
        """Remove the ledger's tables."""
        call_command("migrate", "runbook_jobs", "zero", verbosity=0)
        time.sleep(1)

    def remake(self, number):
        """Remove the whole database, and migrate anew: as a demo site does every night."""
        if connection.vendor == "postgresql":
            with connection.cursor() as cursor:
                cursor.execute("DROP SCHEMA public CASCADE")
                cursor.execute("CREATE SCHEMA public")
        else:
            connection.close()
            Path(connection.settings_dict["NAME"]).unlink()
        time.sleep(1)
        call_command("migrate", verbosity=0)
        time.sleep(number)
