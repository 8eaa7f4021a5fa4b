"""What a command prints, or says of its end, changes nothing about how its run ends."""

import os
import signal
import sys
import threading
import time
from pathlib import Path

import psycopg
import pytest
from django.db import connection, connections
from django.db.utils import load_backend

from django_runbook.jobs.ledger.recording.recording import UNWRITTEN, recorded
from django_runbook.jobs.ledger.runs import Order
from django_runbook.jobs.models import Run
from django_runbook.jobs.wrapped.command import run_command
from tests.engines import SERVER_URL, server_settings, server_url, worker
from tests.ops.jobs.conftest import make_default
from tests.ops.jobs.wrapped.conftest import JOB, said

pytestmark = pytest.mark.django_db
EURO = "50 \u20ac and \U0001f4b8\n"
#: What is written, and what the ledger keeps of it.
ODD = {
    "NUL": (b"a\0b\n", r"a\x00b" + "\n"),
    "broken UTF-8": (b"\xff\xfe\xc3 \xed\xa0\x80\n", "\ufffd\ufffd\ufffd \ufffd\ufffd\ufffd\n"),
    "half a character": (b"x\xe2\x82", "x\ufffd"),
    "ten megabytes": (b"x" * 10_000_000 + b"\nend\n", "x" * 9_995 + "\nend\n"),
    "one line of ten megabytes": (b"\xc3\xa9" * 5_000_000, "\xe9" * 5_000),
}


@pytest.mark.slow
@pytest.mark.parametrize("odd", ODD)
def test_output_of_any_kind_is_handed_on_and_kept(run, files, odd):
    """The bytes come through as they are; the ledger keeps what a text can hold."""
    printed, kept = ODD[odd]
    source = Path(f"{files[0].name}.in")
    source.write_bytes(printed)
    result = run(f"import sys; sys.stdout.buffer.write(open({str(source)!r}, 'rb').read())")
    assert (result.status, result.code, result.warnings) == ("SUCCEEDED", 0, ())
    assert Path(files[0].name).read_bytes() == printed
    row = Run.objects.get()
    assert (row.status, row.finished is not None, row.output) == ("SUCCEEDED", True, kept)


REASONS = {
    "NUL": "a\0b",
    "lone surrogates": "x\udc80\ud800",
    "ten megabytes": "x" * 10_000_000,
    "steering": "\x1b[31m\u202e",
}


@pytest.mark.parametrize("reason", REASONS)
def test_reason_of_any_kind_is_kept(reason):
    """Whatever an exception says, the run is closed as FAILED, with as much as can be kept."""
    with pytest.raises(RuntimeError), recorded(JOB, Order()) as recording:
        raise RuntimeError(REASONS[reason])
    assert recording.warnings == []
    row = Run.objects.get()
    assert row.status == "FAILED"
    assert row.reason.startswith("RuntimeError: ")
    assert len(row.reason) <= 10_000


@pytest.fixture
def encoded(request, commands, django_db_blocker):
    """Make a migrated database of another encoding the default one."""
    name = f"test_encoded_{worker()}"
    with psycopg.connect(os.environ[SERVER_URL], autocommit=True) as server:
        server.execute(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')
        server.execute(
            f"CREATE DATABASE \"{name}\" ENCODING '{request.param}' LOCALE 'C' TEMPLATE template0"
        )
        url = server_url(name)
        assert commands.manage("migrate", "--verbosity=0", DATABASE_URL=url).code == 0
        before = connections["default"]
        values = connections.configure_settings({"default": server_settings(url)})["default"]
        made = load_backend(values["ENGINE"]).DatabaseWrapper(values, "default")
        make_default(made)
        with django_db_blocker.unblock():
            yield request.param
            made.close()
        make_default(before)
        server.execute(f'DROP DATABASE "{name}" WITH (FORCE)')


@pytest.mark.slow
@pytest.mark.engines("postgresql")
@pytest.mark.parametrize("encoded", ["LATIN1", "SQL_ASCII"], indirect=True)
def test_database_of_another_encoding_keeps_the_end(run, encoded):
    """What it cannot hold is escaped; the status is written whatever becomes of the text."""
    result = run(f"import sys; sys.stdout.buffer.write({EURO.encode()!r}); sys.exit(7)")
    assert (result.status, result.code, result.warnings) == ("FAILED", 7, ())
    row = Run.objects.get()
    kept = "50 \\u20ac and \\U0001f4b8\n" if encoded == "LATIN1" else EURO
    assert (row.status, row.reason, row.output) == ("FAILED", "exit code 7", kept)
    with pytest.raises(RuntimeError), recorded(JOB, Order()) as recording:
        raise RuntimeError(EURO)
    assert recording.warnings == []
    last = Run.objects.latest("pk")
    assert last.status == "FAILED"
    assert last.reason == f"RuntimeError: {kept.strip()}"


def test_text_that_cannot_be_written_at_all_is_left_out(run):
    """A trigger, a constraint, a driver: how the run ended is written without it."""
    with connection.cursor() as cursor:
        for statement in NO_OUTPUT[connection.vendor]:
            cursor.execute(statement)
    result = run("print('x'); raise SystemExit(7)")
    assert (result.status, result.reason, result.warnings) == ("FAILED", "exit code 7", ())
    row = Run.objects.get()
    assert (row.status, row.reason, row.output) == ("FAILED", UNWRITTEN, "")


NO_OUTPUT = {
    "sqlite": [
        """CREATE TRIGGER no_output BEFORE UPDATE OF output ON runbook_jobs_run
        WHEN new.output <> '' BEGIN SELECT raise(ABORT, 'no output'); END"""
    ],
    "postgresql": ["ALTER TABLE runbook_jobs_run ADD CHECK (output = '')"],
}


@pytest.mark.slow
@pytest.mark.engines("sqlite")
def test_slow_reader_gets_all_of_it(files):
    """Who reads late holds up the last words of a command that has ended, and loses none."""
    reader, writer = os.pipe()
    heard = bytearray()

    def read() -> None:
        time.sleep(2.5)
        while chunk := os.read(reader, 65_536):
            heard.extend(chunk)
        os.close(reader)

    reading = threading.Thread(target=read)
    reading.start()
    argv = [sys.executable, "-IS", "-c", "print('x' * 150_000)"]
    result = run_command(
        JOB, argv, order=Order(), max_seconds=20, out=writer, err=files[1].fileno()
    )
    os.close(writer)
    reading.join()
    assert (result.status, len(heard)) == ("SUCCEEDED", 150_001)


@pytest.mark.slow
@pytest.mark.engines("sqlite")
def test_grandchild_that_holds_the_pipe_does_not_hold_up_the_end(run, files):
    """A daemon that a command has started writes on for as long as it likes, to nobody."""
    chatty = "import time\nwhile True: print('tick', flush=True); time.sleep(0.05)"
    body = (
        "import subprocess, sys\n"
        f"daemon = subprocess.Popen([sys.executable, '-IS', '-c', {chatty!r}])\n"
        "print(daemon.pid, flush=True)"
    )
    begin = time.monotonic()
    result = run(body)
    assert (result.status, time.monotonic() - begin < 10) == ("SUCCEEDED", True)
    os.kill(int(said(files[0]).split()[0]), signal.SIGKILL)
