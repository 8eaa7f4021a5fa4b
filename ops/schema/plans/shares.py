"""Where the time of a plan goes."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager


class Shares:
    """Adds up seconds by what they were spent on, in the order of first use."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self.seconds: dict[str, float] = {}
        self._clock = clock

    @contextmanager
    def of(self, name: str) -> Iterator[None]:
        """Count the body's time as ``name``'s."""
        began = self._clock()
        try:
            yield
        finally:
            self.seconds[name] = self.seconds.get(name, 0.0) + self._clock() - began
