"""A server that goes away in the midst of a run: the run goes on from the ledger."""

import itertools
import re
import select
import socket
import tempfile
import threading
import time
from contextlib import suppress

import pytest
from django.db import OperationalError, connections

from accounts.services import expire_trials
from django_runbook.jobs.errors import FailedError
from django_runbook.jobs.models import Run
from tests.ops.jobs import books
from tests.ops.jobs.books import NOW

BREAKS = 3  # two batches, and the last pass
ALIVE = "SELECT 1 FROM pg_stat_activity WHERE pid = %s"
pytestmark = [pytest.mark.engines("postgresql"), pytest.mark.slow]


class Killed:
    """Ends the own session from another before the statement with this number; so COMMIT."""

    def __init__(self, number, other) -> None:
        self.left, self.other, self.statement = number, other, ""

    def __call__(self, execute, sql, *arguments):
        self.before(" ".join(sql.split()))
        return execute(sql, *arguments)

    def before(self, statement: str) -> None:
        """Count, and perhaps end it."""
        self.left -= 1
        if not self.left:
            pid = connections["default"].connection.info.backend_pid
            self.other.execute("SELECT pg_terminate_backend(%s)", [pid])
            while self.other.execute(ALIVE, [pid]).fetchone():
                time.sleep(0.001)
            self.statement = statement


def attempt(killed: Killed) -> str:
    """Run the job with a session that is killed; say how it came out."""
    connection = connections["default"]
    commit = connection._commit

    def committed() -> None:
        killed.before("COMMIT")
        commit()

    connection._commit = committed
    try:
        with connection.execute_wrapper(killed):
            result = expire_trials(now=NOW)
    except OperationalError:
        return "not begun"
    except FailedError:
        return "FAILED"
    finally:
        del connection._commit
        connection.close()
    assert (result.left, result.warnings) == (0, ())
    assert Run.objects.get().status == result.status
    return result.status


def test_session_killed_between_any_two_statements(committed_five, session):
    """Whichever statement or COMMIT finds its session dead: the batches are repeated or counted.

    Only what comes before the first batch, or counts what is due, may fail it, in one line.
    """
    other, came_out = session(), {}
    for number in itertools.count(1):
        killed = Killed(number, other)
        ends = attempt(killed)
        assert books.unbalanced() == []
        if ends != "SUCCEEDED":
            assert ends == "not begun" or re.search("SELECT COUNT|SET .due. =", killed.statement)
            assert expire_trials(now=NOW).status == "SUCCEEDED"
        assert books.facts() == {"complaints": [], "statuses": books.FIVE_DONE, "changes": 5}
        books.set_back()
        came_out[number] = (killed.statement, ends)
        if killed.left > 0:
            break
    batches = [ends for what, ends in came_out.values() if "runbook_jobs_batch" in what]
    assert batches == ["SUCCEEDED"] * 3
    commits = [ends for what, ends in came_out.values() if what == "COMMIT"]
    assert commits == ["not begun", *["SUCCEEDED"] * 4]


class Wire(threading.Thread):
    """A wire to the server that breaks behind the first COMMITs of batches: the answer is lost."""

    def __init__(self, door: str, host: str, port: str) -> None:
        super().__init__(daemon=True)
        self.breaks = 0
        self._host, self._port = host or "localhost", port or "5432"
        self._door = socket.socket(socket.AF_UNIX)
        self._door.bind(f"{door}/.s.PGSQL.5432")
        self._door.listen()
        self.start()

    def run(self) -> None:
        """Carry one session after another."""
        with suppress(OSError):
            while True:
                client, _ = self._door.accept()
                with client, self._server() as server:
                    self._carry(client, server)

    def close(self) -> None:
        """Take no more sessions."""
        self._door.shutdown(socket.SHUT_RDWR)
        self._door.close()
        self.join()

    def _server(self) -> socket.socket:
        if not self._host.startswith("/"):
            return socket.create_connection((self._host, int(self._port)))
        server = socket.socket(socket.AF_UNIX)
        server.connect(f"{self._host}/.s.PGSQL.{self._port}")
        return server

    def _carry(self, client: socket.socket, server: socket.socket) -> None:
        batch = False
        while True:
            for source in select.select([client, server], [], [])[0]:
                said = source.recv(1 << 20)
                if not said:
                    return
                (server if source is client else client).sendall(said)
                if source is server:
                    continue
                batch = batch or b"runbook_jobs_batch" in said
                if batch and b"COMMIT" in said and self.breaks < BREAKS:
                    assert server.recv(1 << 20)
                    self.breaks += 1
                    return


@pytest.fixture
def wire():
    """Lead the default connection over a wire that breaks."""
    connection = connections["default"]
    values = connection.settings_dict
    host, port = values["HOST"], values["PORT"]
    connection.close()
    with tempfile.TemporaryDirectory() as door:
        made = Wire(door, host, port)
        values.update(HOST=door, PORT="")
        yield made
        connection.close()
        values.update(HOST=host, PORT=port)
        made.close()


def test_answer_to_each_commit_is_lost(committed_five, wire):
    """Nobody can tell the run that its batch was committed: it reads the ledger, and goes on."""
    result = expire_trials(now=NOW)
    assert (result.status, result.expired, result.batches) == ("SUCCEEDED", 5, 2)
    assert wire.breaks == BREAKS
    assert books.facts() == {"complaints": [], "statuses": books.FIVE_DONE, "changes": 5}
