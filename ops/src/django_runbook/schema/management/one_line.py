"""What `backup` and `restore` share: errors in one line, and an orderly end on SIGTERM."""

import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Never

from django.core.management.base import CommandError

from django_runbook.schema.errors import BackupFailedError, BackupRefusedError, NoClientError
from django_runbook.text.cleaning import unbroken

REFUSED = 3


@contextmanager
def in_one_line() -> Iterator[None]:
    """Raise ``CommandError``: exit code 3 for a refusal, 1 for a failure.

    SIGTERM ends the body as an exception does, so that no client goes on and no file stays.
    """
    here = threading.current_thread() is threading.main_thread()
    before = signal.signal(signal.SIGTERM, _stop) if here else None
    try:
        yield
    except BackupRefusedError as refusal:
        raise CommandError(str(refusal), returncode=REFUSED) from refusal
    except (BackupFailedError, NoClientError) as failure:
        raise CommandError(str(failure)) from failure
    finally:
        if here:
            signal.signal(signal.SIGTERM, before)


def short(path: Path) -> str:
    """Return a path as a person in the current folder would type it."""
    here = Path.cwd()
    return unbroken(str(path.relative_to(here) if path.is_relative_to(here) else path))


def _stop(number: int, _frame: object) -> Never:
    sys.exit(128 + number)
