"""Runs a command, and ends it when its supervisor has ended or says nothing for too long.

A program of its own, ``python -IS watchdog.py SILENCE GRACE WORD...``, which loads nothing of
Django. Its standard input is a line to the supervisor: what comes says that the supervisor lives,
the end of the line that it is gone, also where it was killed. Its process group holds the command
and the command's children. It ends as the command did, by the same signal too.

On Linux the kernel kills the command where this program is killed (prctl(2), PR_SET_PDEATHSIG).
"""

import os
import select
import signal
import sys
import time
from contextlib import suppress
from typing import NoReturn

PR_SET_PDEATHSIG = 1
MISSING = 127
LAST = 1.0  # seconds that the children of a command have which ended when it was told to
HANDED_ON = (signal.SIGHUP, signal.SIGINT, signal.SIGTERM)


def main(silence: float, grace: float, words: list[str]) -> NoReturn:
    """Run the words, and end as they do."""
    ear, mouth = os.pipe()
    os.set_blocking(mouth, False)
    signal.set_wakeup_fd(mouth, warn_on_full_buffer=False)
    signal.signal(signal.SIGCHLD, _nothing)
    for number in HANDED_ON:  # they are for the command, which gets them as well
        if signal.getsignal(number) != signal.SIG_IGN:
            signal.signal(number, _nothing)
    me = os.getpid()
    signal.pthread_sigmask(signal.SIG_BLOCK, HANDED_ON)  # none is lost between fork and exec
    command = os.fork()
    if command == 0:
        _become(words, me)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, HANDED_ON)
    _let_go()
    code = _watched(command, ear, silence)
    if code is None:
        code = _ended(command, ear, grace)
        os.killpg(0, signal.SIGKILL)  # whoever of the group is left, and this
    _end_as(code)


def _watched(command: int, ear: int, silence: float) -> int | None:
    """Wait for the command's end and return its code; None where nobody supervises it any more."""
    heard = time.monotonic()
    again = False
    while (code := _code(command)) is None:
        left = heard + silence - time.monotonic()
        if left <= 0 and again:
            return None
        # Who was frozen together with the supervisor gives it a second to say so.
        again = left <= 0
        ready, _, _ = select.select([0, ear], [], [], max(left, 1.0))
        if ear in ready:
            os.read(ear, 1024)
        if 0 in ready:
            if not os.read(0, 1024):
                return None
            heard, again = time.monotonic(), False
    return code


def _ended(command: int, ear: int, grace: float) -> int:
    """End the command and its children: first as an operator would."""
    os.killpg(0, signal.SIGTERM)
    end = time.monotonic() + grace
    while (code := _code(command)) is None and (left := end - time.monotonic()) > 0:
        if select.select([ear], [], [], left)[0]:
            os.read(ear, 1024)
    if code is not None:
        time.sleep(LAST)
    return code or 0


def _code(command: int) -> int | None:
    """Return how the command ended, negative for a signal; None while it runs."""
    done, status = os.waitpid(command, os.WNOHANG)
    return os.waitstatus_to_exitcode(status) if done else None


def _become(words: list[str], parent: int) -> NoReturn:
    """Become the command, in the child: without a terminal, and not without its parent."""
    code = MISSING
    try:
        signal.set_wakeup_fd(-1)
        for number in HANDED_ON:
            if signal.getsignal(number) == _nothing:
                signal.signal(number, signal.SIG_DFL)
        for number in (signal.SIGPIPE, signal.SIGXFSZ):  # which Python ignores, and others inherit
            signal.signal(number, signal.SIG_DFL)
        os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
        _die_with_parent()
        signal.pthread_sigmask(signal.SIG_UNBLOCK, HANDED_ON)
        if os.getppid() == parent:
            os.execvp(words[0], words)
    except OSError as error:
        os.write(2, f"{words[0]}: {os.strerror(error.errno or 0)}\n".encode(errors="replace"))
    finally:
        os._exit(code)


def _die_with_parent() -> None:
    if sys.platform != "linux":
        return
    with suppress(ImportError, OSError, AttributeError):  # a system without it has the line
        import ctypes

        ctypes.CDLL(None, use_errno=True).prctl(PR_SET_PDEATHSIG, int(signal.SIGKILL), 0, 0, 0)


def _let_go() -> None:
    """Hold no pipe open that the command writes to: its end is then the end of the output."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 1)
    os.dup2(nowhere, 2)


def _end_as(code: int) -> NoReturn:
    """End with a code, or by the signal that ended the command, whose memory was dumped already."""
    if code < 0:
        with suppress(ImportError, OSError, ValueError):
            import resource

            resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        with suppress(OSError, ValueError):  # SIGKILL has no handler
            signal.signal(-code, signal.SIG_DFL)
        os.kill(os.getpid(), -code)
        time.sleep(LAST)
    os._exit(code if code >= 0 else 128 - code)


def _nothing(*_: object) -> None:
    """Let a signal pass; unlike one that is ignored, the command does not inherit it."""


if __name__ == "__main__":
    main(float(sys.argv[1]), float(sys.argv[2]), sys.argv[3:])
