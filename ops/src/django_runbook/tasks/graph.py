"""`inv graph`: a picture of the models, to be kept in the repository and checked in CI."""

import contextlib
import os
import struct
import zlib
from pathlib import Path

from invoke import Context, Exit

from django_runbook.extras import install
from django_runbook.tasks.cli.declaration import task
from django_runbook.tasks.processes import process
from django_runbook.tasks.processes.command_line import line

GROUP = "Development"
DEFAULT = "docs/models.svg"
FORMATS = {".svg": "dot", ".png": "dot", ".dot": "dot", ".mmd": "mermaid"}
RENDERED = {".svg": ["-Tsvg"], ".png": ["-Tpng", "-Gdpi=144"]}
INSTALL = f"{install('graph')}, or sudo apt install graphviz; .dot and .mmd need neither"
PNG_END = 12  # bytes of the chunk that ends a PNG
NAME = b"inv graph"


@task(
    operands=("app",),
    iterable=("app",),
    help={
        "app": "An app to draw; may be repeated (default: every app of this repository).",
        "output": f"The file: .svg, .png, .dot or .mmd for Mermaid (default: {DEFAULT}).",
        "check": "Write nothing; fail where the file does not show the models as they are.",
    },
)
def graph(c: Context, app: list[str], output: str | None = None, check: bool = False) -> None:
    """Draw the models and their relations (model_graph)."""
    file = Path.cwd() / output if output else Path(c.config.runbook.root) / DEFAULT
    if file.suffix not in FORMATS:
        allowed = ", ".join(FORMATS)
        raise Exit(f"--output={output}: the name must end in one of {allowed}.", code=2)
    process.require("django_extensions", "inv graph")
    command = process.manage(
        c,
        "model_graph",
        *process.options(root=c.config.runbook.root, format=FORMATS[file.suffix]),
        *(f"--app={label}" for label in app),
    )
    if process.is_dry(c):
        print(line(command))
        return
    shown = file.relative_to(Path.cwd()) if file.is_relative_to(Path.cwd()) else file
    source = process.probe(c, command)
    wrong = fault(file, source)
    if check and wrong:
        again = ["inv", "graph", *(f"--app={label}" for label in app)]
        again += process.options(output=output)
        raise Exit(f"{shown} {wrong}. Run '{line(again)}'.", code=1)
    if wrong:
        save(file, picture(c, source, file.suffix))
    print(f"Wrote {shown}" if wrong else f"{shown} shows the models as they are")


def fault(file: Path, source: str) -> str | None:
    """Say what is wrong with a file that should show ``source``; None where nothing is.

    A picture says by itself what it was made from, so that no Graphviz has to draw it again the
    same: any version may have drawn it. Raises ``Exit`` for a file that cannot be read.
    """
    try:
        found = file.read_bytes()
    except FileNotFoundError:
        return "is missing"
    except OSError as error:
        raise Exit(f"{file} cannot be read: {error.strerror}", code=1) from error
    if file.suffix not in RENDERED:
        return None if found == source.encode() else "does not show the models as they are"
    if stamped(_unstamped(found), source) == found:
        return None
    if _digest(source.encode()) in found:
        return "was changed by hand"
    return "does not show the models as they are"


def picture(c: Context, source: str, suffix: str) -> bytes:
    """Return the content of a file that shows ``source``. Raises ``Exit`` without a Graphviz."""
    if suffix not in RENDERED:
        return source.encode()
    import tempfile  # here, so that listing the tasks does not pay for it

    with tempfile.TemporaryDirectory() as folder:
        text, drawn = Path(folder, "models.dot"), Path(folder, "models.out")
        text.write_text(source, "utf-8")
        process.probe(c, [_graphviz(), *RENDERED[suffix], "-o", str(drawn), str(text)])
        return stamped(drawn.read_bytes(), source)


def save(file: Path, content: bytes) -> None:
    """Write a file whole or not at all, in a folder that may have to be made.

    Raises ``Exit`` with one line where that cannot be done.
    """
    new = file.with_name(f".{file.name}.{os.getpid()}")
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        new.write_bytes(content)
        new.replace(file)
    except OSError as error:
        with contextlib.suppress(OSError):
            new.unlink()
        raise Exit(f"{file} cannot be written: {error.strerror}", code=1) from error


def stamped(drawn: bytes, source: str) -> bytes:
    """Return an SVG or PNG with the digests of its source and of itself, which no viewer shows."""
    stamp = _stamp(drawn, source.encode())
    return drawn[:-PNG_END] + stamp + drawn[-PNG_END:] if _is_png(drawn) else drawn + stamp


def _unstamped(found: bytes) -> bytes:
    """Return a picture as it was before it was stamped: a stamp's length is always the same."""
    length = len(_stamp(found, b""))
    return found[: -PNG_END - length] + found[-PNG_END:] if _is_png(found) else found[:-length]


def _stamp(drawn: bytes, source: bytes) -> bytes:
    """Return a comment for an SVG, a text chunk for a PNG."""
    note = b"models=%b picture=%b" % (_digest(source), _digest(drawn))
    if not _is_png(drawn):
        return b"<!-- %b: %b -->\n" % (NAME, note)
    chunk = b"tEXt%b\0%b" % (NAME, note)
    return struct.pack(">I", len(chunk) - 4) + chunk + struct.pack(">I", zlib.crc32(chunk))


def _digest(content: bytes) -> bytes:
    import hashlib  # as tempfile

    return hashlib.sha256(content).hexdigest().encode()


def _is_png(content: bytes) -> bool:
    return content.startswith(b"\x89PNG")


def _graphviz() -> str:
    """Return the program that draws. Raises ``Exit`` where there is none."""
    found = process.graphviz()
    if not found:
        raise Exit(f"There is no Graphviz to draw with: {INSTALL}.", code=127)
    return found
