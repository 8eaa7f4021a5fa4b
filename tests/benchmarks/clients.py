"""Clients that update accounts at a steady rate, whether or not the database keeps up.

An answer is timed from when its request was due, not from when it could be sent: a client that is
held up has its next requests wait as well, as people would. Otherwise one long stall would count
as one slow request.
"""

import math
import multiprocessing
import random
import time
from dataclasses import dataclass
from typing import Any, Self

import psycopg

from tests.benchmarks.stage import Population

#: A payment, which only ends a trial that is still one, for every two updates of something else.
PAY = "UPDATE accounts_account SET status = 'ACTIVE' WHERE id = %s AND status = 'TRIALING'"
TOUCH = "UPDATE accounts_account SET created = created WHERE id = %s"


@dataclass(frozen=True)
class Answer:
    """When a request was due (monotonic), how long its answer took from then, and what it paid."""

    due: float
    seconds: float
    paid: int


@dataclass(frozen=True)
class Load:
    """What a client sends: ``rate`` requests a second until the clock reaches ``end``."""

    url: str
    population: Population
    rate: float
    number: int
    end: Any


class Clients:
    """Client processes, from ``with`` to its end; ``answers`` are there afterwards."""

    def __init__(self, url: str, population: Population, *, count: int, rate: float) -> None:
        processes = multiprocessing.get_context("spawn")
        self._end = processes.Value("d", math.inf)
        self._pipes = [processes.Pipe(duplex=False) for _ in range(count)]
        self._processes = [
            processes.Process(
                target=work,
                args=(Load(url, population, rate / count, number, self._end), pipe[1]),
                daemon=True,  # none outlives a benchmark that fails
            )
            for number, pipe in enumerate(self._pipes)
        ]
        self.answers: list[Answer] = []

    def __enter__(self) -> Self:
        for process in self._processes:
            process.start()
        for reader, writer in self._pipes:
            writer.close()
            reader.recv()  # it is connected and has begun
        return self

    def __exit__(self, *_: object) -> None:
        self._end.value = time.monotonic()
        for reader, _writer in self._pipes:
            self.answers += reader.recv()
        for process in self._processes:
            process.join()

    def between(self, start: float, end: float) -> list[float]:
        """Return the seconds of the answers to what was due in a time, in their order."""
        return sorted(answer.seconds for answer in self.answers if start <= answer.due <= end)


def work(load: Load, pipe: Any) -> None:
    """Send requests and hand back the answers: what a client process does."""
    rng = random.Random(load.number)
    answers = []
    with psycopg.connect(load.url, autocommit=True) as connection:
        pipe.send("ready")
        due = time.monotonic() + load.number / load.rate / 4
        while due < load.end.value:
            time.sleep(max(0.0, due - time.monotonic()))
            paid = request(connection, load.population, rng)
            answers.append(Answer(due, time.monotonic() - due, paid))
            due += 1 / load.rate
    pipe.send(answers)


def request(connection: Any, population: Population, rng: random.Random) -> int:
    """Update an account and return how many were paid for: two of three are due, or were."""
    kind = rng.randrange(3)
    due = population.due_id(rng.randint(1, population.due))
    if kind == 0:
        return connection.execute(PAY, [due]).rowcount
    anyone = rng.randint(1, population.accounts)
    connection.execute(TOUCH, [due if kind == 1 else anyone])
    return 0
