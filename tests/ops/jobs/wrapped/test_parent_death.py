"""A wrapped command cannot outlive its supervisor, and has no terminal."""

import datetime
import os
import signal
import subprocess
import sys
import time
from contextlib import suppress

import pexpect
import psutil
import pytest

from django_runbook.jobs.ledger import leases
from django_runbook.jobs.ledger.runs import LOST_AFTER
from django_runbook.jobs.models import Run
from django_runbook.jobs.wrapped.process import KILL_SECONDS, SILENCE_SECONDS, WATCHDOG
from django_runbook.jobs.wrapped.supervision import NOBODY
from tests.commands import ROOT
from tests.ops.jobs.wrapped.conftest import NIGHTS

pytestmark = [pytest.mark.slow, pytest.mark.engines("sqlite", "postgresql")]
MANAGE = (sys.executable, str(ROOT / "backend/manage.py"))


def alive(*pids: int) -> list[int]:
    """Return which of some processes are there, and no zombies."""
    found = []
    for pid in pids:
        with suppress(psutil.NoSuchProcess):
            if psutil.Process(pid).status() != psutil.STATUS_ZOMBIE:
                found.append(pid)
    return found


def ended(*pids: int, within: float = 8) -> bool:
    """Wait for the end of some processes; tell whether it came."""
    end = time.monotonic() + within
    while alive(*pids) and time.monotonic() < end:
        time.sleep(0.02)
    return not alive(*pids)


@pytest.fixture
def lingering(commands, shared_url):
    """Start a job that lingers, with a child; yield the supervisor and all below it."""
    process = subprocess.Popen(
        [*MANAGE, "run_job", "odd", "--", "linger", "60"],
        env=commands.env({**NIGHTS, "DATABASE_URL": shared_url}),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    command, child = map(int, process.stdout.readline().split())
    watchdog = psutil.Process(command).ppid()
    yield process, watchdog, command, child
    for pid in (process.pid, watchdog, command, child):
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    process.communicate()


def test_killed_supervisor_takes_its_command_along(lingering):
    """SIGKILL, as the kernel sends it when memory ends: nobody is left to do the slot twice."""
    process, *others = lingering
    process.kill()
    assert ended(*others)


def test_killed_watchdog_takes_its_command_along(lingering):
    """Then the supervisor is there to say so."""
    process, watchdog, command, child = lingering
    os.kill(watchdog, signal.SIGKILL)
    _, err = process.communicate(timeout=20)
    assert ended(command, child)
    assert process.returncode == 137
    assert err.startswith("Run 1 of odd: failed after ")
    assert err.endswith(" s: ended by SIGKILL\n")
    assert Run.objects.get().status == "FAILED"


@pytest.mark.parametrize("number", [signal.SIGHUP, signal.SIGTERM])
def test_supervisor_that_is_told_to_end_ends_its_command_and_its_run(lingering, number):
    """A terminal that closes is an orderly stop as well: the run is closed, with its reason."""
    process, *others = lingering
    process.send_signal(number)
    _, err = process.communicate(timeout=20)
    assert alive(*others) == []
    assert process.returncode == 143
    assert err.endswith(" s: ended by SIGTERM\n")
    run = Run.objects.get()
    assert (run.status, run.reason) == ("FAILED", "ended by SIGTERM")


@pytest.fixture
def terminal(commands, shared_url):
    """Return what starts a job in a pseudo-terminal."""
    started = []

    def start(*argv):
        env = commands.env({**NIGHTS, "DATABASE_URL": shared_url})
        words = [MANAGE[1], "run_job", *argv]
        made = pexpect.spawn(MANAGE[0], words, env=env, encoding="utf-8", timeout=30)
        made.delaybeforesend = None
        started.append(made)
        return made

    yield start
    for made in started:
        with suppress(OSError):  # it is closed already
            made.close(force=True)


def test_terminal_that_closes_ends_the_run_in_order(terminal):
    """The window is closed: nothing goes on unseen, and the ledger says how it ended."""
    window = terminal("odd", "--", "linger", "60")
    window.expect(r"(\d+) (\d+)\r\n")
    others = [int(pid) for pid in window.match.groups()]
    window.ptyproc.fileobj.close()
    assert ended(window.pid, *others)
    run = Run.objects.get()
    assert (run.status, run.reason) == ("FAILED", "ended by SIGTERM")


@pytest.mark.parametrize("thing", ["ask", "ask_secretly"])
def test_job_that_asks_fails_at_once_and_says_so(terminal, thing):
    """Whoever sits there may not answer: at night nobody does. Not even a password is asked."""
    window = terminal("odd", "--", thing)
    window.expect(r"Run 1 of odd: failed after [\d.]+ s: ([^\r]+)\r\n")
    assert window.match[1] == NOBODY
    window.expect(pexpect.EOF)
    window.wait()
    assert window.exitstatus == 1
    run = Run.objects.get()
    assert (run.status, run.reason) == ("FAILED", NOBODY)


def watched(*words: str, silence: float = 60, grace: float = 5) -> subprocess.Popen:
    """Start the watchdog with words of its own."""
    argv = [sys.executable, "-IS", str(WATCHDOG), str(silence), str(grace), *words]
    return subprocess.Popen(
        argv,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        start_new_session=True,
        text=True,
    )


def test_silence_ends_a_command_before_others_take_its_run_for_lost():
    """Its slot and its lease are free two minutes after the last beat: it has ended by then."""
    longest = datetime.timedelta(seconds=SILENCE_SECONDS + KILL_SECONDS)
    assert longest < min(LOST_AFTER, leases.DURATION)


PYTHON = (sys.executable, "-IS", "-c")


@pytest.mark.engines("sqlite")
class TestWatchdog:
    """The program between the two."""

    @pytest.mark.parametrize(
        ("body", "code"),
        [
            ("raise SystemExit(7)", 7),
            ("import os; os.kill(os.getpid(), 9)", -9),
            ("import os; os.kill(os.getpid(), 15)", -15),
            ("import os; os.abort()", -6),
        ],
    )
    def test_ends_as_its_command(self, body, code):
        """By the same code, or the same signal."""
        process = watched(*PYTHON, body)
        assert process.wait(20) == code
        process.communicate()

    def test_says_of_a_program_that_is_missing(self):
        """Exit code 127, and one line."""
        process = watched("/no/such/program")
        assert process.wait(20) == 127
        assert process.communicate() == ("", "/no/such/program: No such file or directory\n")

    def test_ends_the_command_of_a_supervisor_that_is_silent(self):
        """One that was stopped is taken for lost by others, and its slot is given away."""
        process = watched(*PYTHON, "import time; print(1, flush=True); time.sleep(60)", silence=1)
        assert process.stdout.readline() == "1\n"
        assert process.wait(20) == -9
        process.communicate()

    def test_hears_its_supervisor(self):
        """A word now and then keeps it."""
        process = watched(*PYTHON, "import time; time.sleep(4)", silence=1)
        while process.poll() is None:
            with suppress(BrokenPipeError):
                process.stdin.write(".")
                process.stdin.flush()
            time.sleep(0.2)
        assert process.returncode == 0
        process.communicate()

    def test_kills_what_does_not_end(self):
        """A command that does not listen, and its child, when the supervisor is gone."""
        body = (
            "import os, signal, time\n"
            "signal.signal(signal.SIGTERM, signal.SIG_IGN)\n"
            "child = os.fork()\n"
            "if child: print(os.getpid(), child, flush=True)\n"
            "time.sleep(60)"
        )
        process = watched(*PYTHON, body, grace=0.5)
        pids = [int(pid) for pid in process.stdout.readline().split()]
        process.stdin.close()
        assert ended(process.pid, *pids)
        process.wait()
        process.stdout.close()
        process.stderr.close()

    def test_leaves_no_signal_ignored(self):
        """The command has the signals that a shell would give it, and none of Python's."""
        process = watched("grep", "-E", "^Sig(Blk|Ign)", "/proc/self/status")
        assert process.wait(20) == 0
        out, _ = process.communicate()
        assert out.split() == ["SigBlk:", "0" * 16, "SigIgn:", "0" * 16]
