"""Errands to those outside: all at once, none for longer than a deadline, none that fails a run."""

import os
import socket
import ssl
import time
from collections.abc import Callable, Mapping
from http.client import HTTPException
from smtplib import (
    SMTPException,
    SMTPRecipientsRefused,
    SMTPResponseException,
    SMTPServerDisconnected,
)
from threading import Thread
from urllib.error import URLError

DEADLINE = 10.0  # seconds, for all together

#: Does it, and returns why it came to nothing, or None.
Errand = Callable[[], str | None]


def carried_out(errands: Mapping[str, Errand]) -> dict[str, str | None]:
    """Do all at once, and return why each came to nothing, or None.

    A socket's timeout bounds neither a name's look-up, nor an answer that comes byte by byte, nor
    redirects. So threads do the work, and are left to themselves at the deadline.

    Raises nothing but what a signal's handler raises, as Ctrl-C does.
    """
    reasons: dict[str, str | None] = dict.fromkeys(errands, late())

    def carry_out(name: str) -> None:
        try:
            reasons[name] = errands[name]()
        except BaseException as error:  # noqa: BLE001  # telling somebody never fails a run
            reasons[name] = why(error)

    end = time.monotonic() + DEADLINE
    threads = []
    for name in errands:
        thread = Thread(target=carry_out, args=(name,), name=name, daemon=True)
        try:
            thread.start()
        except RuntimeError:  # the system gives no more threads
            reasons[name] = "no thread could be started"
        else:
            threads.append(thread)
    for thread in threads:
        thread.join(max(0.0, end - time.monotonic()))
    return dict(reasons)


def undone(about: str, errands: Mapping[str, Errand]) -> list[str]:
    """Do all at once, and return a line for each that came to nothing."""
    return [
        f"The {name} of {about} could not be sent: {reason}."
        for name, reason in carried_out(errands).items()
        if reason
    ]


def late() -> str:
    """Return the reason where nobody answered."""
    return f"no answer within {DEADLINE:g} seconds"


def why(error: BaseException) -> str:
    """Return the reason in words of our own: those of an error often hold the address."""
    if isinstance(error, URLError) and isinstance(error.reason, BaseException):
        error = error.reason
    match error:
        case TimeoutError():
            reason = late()
        case socket.gaierror():
            reason = "the host's name was not found"
        case ssl.SSLError():
            reason = "no trusted connection to the server"
        case SMTPException():
            reason = _of_mail(error)
        case OSError(errno=int(code)):
            reason = os.strerror(code).lower()
        case ConnectionError():
            reason = "the server hung up"
        case HTTPException():
            reason = "the answer was not HTTP"
        case _:
            reason = f"an unexpected {type(error).__name__}"
    return reason


def _of_mail(error: SMTPException) -> str:
    if isinstance(error, SMTPRecipientsRefused):
        return "the server takes no mail for these addresses"
    if isinstance(error, SMTPResponseException):
        return f"the server answered {error.smtp_code}"
    if isinstance(error, SMTPServerDisconnected):
        return "the server hung up"
    return "the server did not take the mail"
