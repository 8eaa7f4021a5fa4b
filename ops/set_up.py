"""Makes .venv from the hashed lock. `inv` loads this by its path, and only where that is needed.

Standard library only. All paths that a tool gets are relative to the checkout, whose own name may
hold anything.
"""

import errno
import fcntl
import os
import re
import select
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import IO, TextIO

LOCK = "requirements-dev.txt"
LOG = ".venv/set-up.log"
PYTHON = ".venv/bin/python"
INTERRUPTED = 130
#: Seconds between two lines where nothing can be written over.
EVERY = 15
#: What decides where packages come from; the rest could decide where they go, or which.
KEPT = re.compile(
    r"PIP_(INDEX_URL|PYPI_URL|EXTRA_INDEX_URL|NO_INDEX|FIND_LINKS|TRUSTED_HOST|CERT|CLIENT_CERT"
    r"|PROXY|CONFIG_FILE|(DEFAULT_)?TIMEOUT|RETRIES|(NO_)?CACHE_DIR|KEYRING_PROVIDER|USE_FEATURE)"
    r"|UV_(INDEX|INDEX_\w+|DEFAULT_INDEX|EXTRA_INDEX_URL|FIND_LINKS|OFFLINE|NATIVE_TLS|SYSTEM_CERTS"
    r"|INSECURE_HOST|CONFIG_FILE|NO_CONFIG|\w*TIMEOUT|HTTP_RETRIES|NO_CACHE|CACHE_DIR|LINK_MODE"
    r"|KEYRING_PROVIDER|CREDENTIALS_DIR|CONCURRENT_\w+)"
)
DROPPED = re.compile(r"PIP_|UV_|PYTHON(HOME|PATH|USERBASE)$|VIRTUAL_ENV$|__PYVENV_LAUNCHER__$")
#: Over what pip's configuration files may say.
OFF = ("PIP_USER", "PIP_NO_DEPS", "PIP_REQUIRE_HASHES", "PIP_REQUIRE_VIRTUALENV", "PIP_DRY_RUN")
ON = ("PIP_DISABLE_PIP_VERSION_CHECK", "PIP_NO_INPUT", "PYTHONUNBUFFERED", "NO_COLOR")
CERTIFICATE = ("certificate_verify_failed", "invalid peer certificate", "sslerror")
UNREACHABLE = (
    *("connection refused", "connection reset", "connection aborted", "connection broken"),
    *("name resolution", "name or service not known", "dns error", "failed to lookup address"),
    *("error sending request", "timed out", "proxyerror", "cannot connect to proxy", "tunnel"),
    *("network is unreachable", "no route to host", "failed to establish a new connection"),
)
READ_ONLY = dict.fromkeys((errno.EACCES, errno.EPERM, errno.EROFS), "Make the checkout writable")
ADVICE = {errno.ENOSPC: "Make room", **READ_ONLY}
#: A password in a URL.
SECRET = re.compile(r"(?<=://)([^/\s:@]*):[^\s]*@")


class FailedError(Exception):
    """A step failed; the text says why, and what to do."""


def main(root: str, ready: Callable[[], bool], made_from: Callable[[], bytes]) -> None:
    """Make .venv unless another process does so meanwhile; what fails is one line, and the end."""
    if "--complete" in sys.argv[1:2]:
        sys.exit(1)  # the Tab key must not wait for minutes
    checkout, progress = Path(root), Progress(sys.stderr)
    try:
        with (checkout / "inv").open("rb") as own:
            wait_for(own, progress)
            if not ready():
                progress.say("making .venv from requirements-dev.txt, once")
                make(checkout, own, progress)
                new = checkout / ".venv/made-from.new"
                new.write_bytes(made_from())
                new.replace(checkout / ".venv/made-from")
        progress.clear()
    except KeyboardInterrupt:
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        progress.say("stopped. .venv is not complete: the next ./inv makes it anew.")
        sys.exit(INTERRUPTED)
    except FailedError as failed:
        progress.say(str(failed))
        sys.exit(1)
    except OSError as error:
        where = f" ({error.filename})" if error.filename else ""
        advice = ADVICE.get(error.errno or 0, "Mend that")
        progress.say(f".venv cannot be made: {error.strerror}{where}. {advice}, then repeat.")
        sys.exit(1)


def wait_for(own: IO[bytes], progress: "Progress") -> None:
    """Wait until no other process makes .venv. A child that outlives its parent keeps the lock."""
    try:
        fcntl.flock(own, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        progress.say("another process makes .venv: waiting for it")
        fcntl.flock(own, fcntl.LOCK_EX)


def make(root: Path, own: IO[bytes], progress: "Progress") -> None:
    """Run the steps that make .venv. Raises ``FailedError`` or ``OSError``."""
    planned, said = steps(), ""
    empty(root / ".venv")
    for number, (title, command) in enumerate(planned, 1):
        progress.step(f"step {number} of 3: {title}")
        code, output = run(root, command, own, progress)
        said += f"$ {' '.join(command)}\n{output}"
        (root / ".venv").mkdir(exist_ok=True)
        (root / LOG).write_text(said, "utf-8")
        if code:
            raise FailedError(f"{explain(command, output)} All of it: {root / LOG}")
    relocate(root)


def empty(folder: Path) -> None:
    """Take away what is in a folder, which may be a link or a volume. Raises ``OSError``."""
    folder.mkdir(exist_ok=True)
    for each in folder.iterdir():
        if each.is_dir() and not each.is_symlink():
            shutil.rmtree(each)
        else:
            each.unlink()
    (folder / "try").touch()  # a checkout that cannot be written is found out at once
    (folder / "try").unlink()


def steps() -> "list[tuple[str, list[str]]]":
    """Return what makes .venv, with uv when it is on PATH, else with venv and pip.

    The paths are relative, as a checkout's own may hold what a tool would read otherwise. Raises
    ``FailedError`` where Python has no venv.
    """
    base = getattr(sys, "_base_executable", None) or sys.executable
    make_it = ["uv", "venv", "--python", base, ".venv"]
    install = ["uv", "pip", "install", "--python", PYTHON]
    if not shutil.which("uv"):
        if not find_spec("ensurepip"):
            raise FailedError("Python's venv is missing. On Debian: sudo apt install python3-venv")
        make_it = [base, "-I", "-m", "venv", ".venv"]
        install = [PYTHON, "-I", "-m", "pip", "install"]
    kit = [*install, "--no-deps", "--no-build-isolation", "--editable", "./ops"]
    return [
        ("an empty environment", make_it),
        (f"the packages of {LOCK}", [*install, "--require-hashes", "-r", LOCK]),
        ("the kit, from ops/", kit),
    ]


def run(
    root: Path, command: Sequence[str], own: IO[bytes], progress: "Progress"
) -> "tuple[int, str]":
    """Run a step; return its exit code and its output, without secrets."""
    said = b""
    with subprocess.Popen(
        command,
        cwd=root,
        env=environment(os.environ),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        pass_fds=(own.fileno(),),
    ) as child:
        try:
            output = child.stdout.fileno() if child.stdout else -1
            while True:
                progress.tick(plain(said[-4096:].decode("utf-8", "replace")))
                if select.select([output], [], [], 1.0)[0]:
                    chunk = os.read(output, 65536)
                    if not chunk:
                        break
                    said += chunk
        except KeyboardInterrupt:
            child.terminate()
            raise
    return child.returncode, plain(said.decode("utf-8", "replace"))


def environment(given: Mapping[str, str]) -> "dict[str, str]":
    """Return the environment of a step: where packages come from may be set, nothing else."""
    names = (name for name in given if KEPT.fullmatch(name) or not DROPPED.match(name))
    kept = {name: given[name] for name in names}
    return {**kept, **dict.fromkeys(OFF, "0"), **dict.fromkeys(ON, "1")}


def plain(said: str) -> str:
    """Return what a tool said without secrets and control characters, but for the lines' ends."""
    lines = re.split(r"[\r\n]+", SECRET.sub(r"\1:***@", said))
    return "\n".join("".join(filter(str.isprintable, each)).rstrip() for each in lines)


def explain(command: Sequence[str], output: str) -> str:
    """Return one line for a step that failed: what, why, and what to do."""
    tool = next(each for each in ("uv", "pip", "venv") if each in command)
    if any(word in output.lower() for word in CERTIFICATE):
        variable = "SSL_CERT_FILE" if tool == "uv" else "PIP_CERT"
        return (
            f"the certificate of the package index is not trusted. Set {variable} to the file with "
            "the certificates of your network, then repeat."
        )
    if any(word in output.lower() for word in UNREACHABLE):
        return "the package index cannot be reached. Check the network or the proxy, then repeat."
    lines = [line.strip() for line in output.splitlines() if line.strip()] or ["no output"]
    errors = [line for line in lines if line.lower().startswith(("error", "\u00d7"))] or lines[-1:]
    return f"'{tool}' failed: {errors[0].rstrip('.')}."


def relocate(root: Path) -> None:
    """Let .venv find the kit by a relative path where no line of a file can hold the root."""
    if str(root).isprintable():
        return
    packages = next((root / ".venv/lib").glob("python3*")) / "site-packages"
    for file in packages.glob("*django_runbook*.pth"):
        file.write_text("../../../../ops/src\n", "utf-8")


class Progress:
    """Says what is done: in a line that is written over, or where there is none now and then."""

    def __init__(self, stream: TextIO) -> None:
        self.stream = stream
        self.live = stream.isatty() and os.environ.get("TERM", "dumb") != "dumb"
        self.title, self.began, self.next = "", 0.0, 0.0

    def say(self, text: str) -> None:
        """Print a line that stays; a folder's name can hold more than a line can."""
        self.clear()
        clean = "".join(each if each.isprintable() else "?" for each in text)
        print(f"inv: {clean}", file=self.stream, flush=True)

    def step(self, title: str) -> None:
        """Begin a step."""
        self.title, self.began = title, time.monotonic()
        self.next = self.began if self.live else self.began + EVERY
        if not self.live:
            self.say(title)

    def tick(self, said: str) -> None:
        """Show how long the step runs, and the last line that its program said."""
        now = time.monotonic()
        if now < self.next:
            return
        last = next((line.strip() for line in reversed(said.splitlines()) if line.strip()), "")
        text = f"{self.title}, {now - self.began:.0f} s{': ' if last else ''}{last}"
        if self.live:
            self.next = now + 0.2
            width = shutil.get_terminal_size().columns - 1
            print(f"\r\033[K{f'inv: {text}'[:width]}", end="", file=self.stream, flush=True)
        else:
            self.next = now + EVERY
            self.say(text)

    def clear(self) -> None:
        """Take away the line that is written over."""
        if self.live:
            print("\r\033[K", end="", file=self.stream, flush=True)
