"""How a client program is started: its words, its environment, and what it reads besides."""

import fcntl
import os
import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO


@dataclass(frozen=True)
class Client:
    """A command line; secrets stand in the environment and in ``files`` alone.

    ``untold`` are those of the application's OPTIONS that the program has no way to be told.
    """

    argv: list[str]
    environment: dict[str, str] = field(repr=False)
    files: tuple[IO[bytes], ...] = ()
    untold: tuple[str, ...] = ()

    @property
    def descriptors(self) -> tuple[int, ...]:
        """What the program inherits beside its standard streams."""
        return tuple(file.fileno() for file in self.files)

    def close(self) -> None:
        """Close the files, which a program that was started has for itself."""
        for file in self.files:
            file.close()

    def warning(self) -> str:
        """Return in one line what the program is not told; mostly nothing."""
        said = f"{Path(self.argv[0]).name} is not told of OPTIONS: {', '.join(self.untold)}."
        return said if self.untold else ""


def private_file(text: str) -> IO[bytes]:
    """Return an open file without a name, which a program that inherits it reads by ``place``.

    It lies in memory where the system can do that, and nobody else can open it.
    """
    if hasattr(os, "memfd_create"):
        descriptor = os.memfd_create("runbook")
    else:
        descriptor, name = tempfile.mkstemp()
        Path(name).unlink()
    file = os.fdopen(descriptor, "w+b")
    file.write(text.encode())
    file.flush()
    file.seek(0)
    fcntl.fcntl(descriptor, fcntl.F_SETFD, 0)  # a program that takes this process's place has it
    return file


def place(file: IO[bytes]) -> str:
    """Return the path by which a program that inherits an open file can read it."""
    return f"/dev/fd/{file.fileno()}"
