#!/usr/bin/env python
"""Django's command line for this product; what is configured wrongly ends in one line."""

import os
import sys


def main() -> None:
    """Run the management command in ``sys.argv``.

    A setting that is missing or bad, and a database that cannot be reached, end with one line on
    standard error and exit code 1; ``--traceback`` shows where it happened.
    """
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "project.settings")
    from django.conf import settings
    from django.core.exceptions import ImproperlyConfigured
    from django.core.management import execute_from_command_line
    from django.db import OperationalError

    try:
        settings.INSTALLED_APPS  # noqa: B018  # Django's own commands would go on without settings
        execute_from_command_line(sys.argv)
    except ImproperlyConfigured as error:
        if "--traceback" in sys.argv:
            raise
        sys.exit(f"Settings: {' '.join(str(error).split())}")
    except OperationalError as error:
        if "--traceback" in sys.argv:
            raise
        reason = str(error).partition("\n")[0]
        sys.exit(f"Database: {reason}. Check DATABASE_URL and the server; --traceback shows more.")


if __name__ == "__main__":
    main()
