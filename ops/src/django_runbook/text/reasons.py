"""Says in words what an exception means, whatever its class."""

import errno
import os

from django_runbook.text.cleaning import one_line

#: What helps where the system refuses.
HELPS = {
    errno.EACCES: "Check who may read and write it",
    errno.EPERM: "Check who may read and write it",
    errno.EROFS: "Nothing can be written there",
    errno.ENOSPC: "Make room there, or write elsewhere",
    errno.EDQUOT: "Make room there, or write elsewhere",
    errno.ENOENT: "Check the path",
    errno.EISDIR: "Check the path",
    errno.ENOTDIR: "Check the path",
    errno.EIO: "Check the disk",
}


def reason(error: BaseException) -> str:
    """Return what was wrong in one line, without a stop at its end."""
    match error:
        case UnicodeDecodeError():
            return f"what was read is not {_spelt(error.encoding)}: byte {_byte(error)}"
        case UnicodeEncodeError():
            return f"{_spelt(error.encoding)} cannot say {error.object[error.start]!a}"
        case OSError(errno=int(code)):
            file = f"{one_line(os.fsdecode(error.filename))}: " if _has_path(error) else ""
            return f"{file}{error.strerror or os.strerror(code)}"
        case OverflowError():
            return f"a number or a time is out of range: {one_line(error)}"
    said = one_line(error)
    return f"{type(error).__name__}: {said}" if said else type(error).__name__


def helps(error: BaseException) -> str:
    """Return what helps, as a sentence with a space after it; nothing where that is not known."""
    found = HELPS.get(error.errno or 0) if isinstance(error, OSError) else None
    return f"{found}. " if found else ""


def _has_path(error: OSError) -> bool:
    return isinstance(error.filename, str | bytes)


def _byte(error: UnicodeDecodeError) -> str:
    return f"0x{error.object[error.start]:02x}"


def _spelt(encoding: str) -> str:
    return encoding.upper().replace("UTF8", "UTF-8")
