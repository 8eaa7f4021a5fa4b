"""The process of a command and of the watchdog before it: started, told, ended."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import IO, cast

from django_runbook.jobs.wrapped.output import LOOK_SECONDS, Output

KILL_SECONDS = 10.0  # from SIGTERM to SIGKILL, where a command does not end
#: After so long without a word of its supervisor a command is ended: before others take it for
#: lost, which is two minutes after its last heartbeat.
SILENCE_SECONDS = 100.0
WATCHDOG = Path(__file__).with_name("watchdog.py")


class Process:
    """A command in a session of its own: it has no terminal, and a signal reaches it through us."""

    def __init__(self, argv: Sequence[str], env: Mapping[str, str], output: Output) -> None:
        self._output = output
        watchdog = [sys.executable, "-IS", str(WATCHDOG), f"{SILENCE_SECONDS}", f"{KILL_SECONDS}"]
        self._popen = subprocess.Popen(
            [*watchdog, *argv],
            env=dict(env),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            start_new_session=True,
        )
        self._line = self._pipe(self._popen.stdin)
        os.set_blocking(self._line.fileno(), False)

    def hand_on(self, out: int, err: int) -> None:
        """Hand its output on to two descriptors."""
        self._output.pump(self._pipe(self._popen.stdout), out)
        self._output.pump(self._pipe(self._popen.stderr), err)

    def wait(self, seconds: float) -> int | None:
        """Wait so long for its end; return its code, negative for a signal; None while it runs."""
        with suppress(OSError):  # the line is full, or the watchdog has gone
            os.write(self._line.fileno(), b".")
        with suppress(subprocess.TimeoutExpired):
            code = self._popen.wait(timeout=seconds)
            self._line.close()
            return code
        return None

    def send(self, number: int) -> None:
        """Send a signal to the command and its children, if it has not ended."""
        if self._popen.poll() is None:
            with suppress(ProcessLookupError):
                os.killpg(self._popen.pid, number)

    def end_others(self) -> None:
        """Wait for the end of those whom the command has left behind when it was told to end."""
        end = time.monotonic() + KILL_SECONDS
        with suppress(ProcessLookupError, PermissionError):  # nobody is left
            while time.monotonic() < end:
                with suppress(ChildProcessError):  # where this is process 1, they become its own
                    os.waitpid(-self._popen.pid, os.WNOHANG)
                os.killpg(self._popen.pid, 0)
                time.sleep(LOOK_SECONDS)
            os.killpg(self._popen.pid, signal.SIGKILL)

    def kill(self) -> None:
        """Kill the command and its children, also those that it has left behind."""
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(self._popen.pid, signal.SIGKILL)
        self._popen.wait()
        self._line.close()

    @staticmethod
    def _pipe(pipe: IO[bytes] | None) -> IO[bytes]:
        return cast("IO[bytes]", pipe)  # as it was asked for
