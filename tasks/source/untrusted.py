"""Files that app code could write: opened without following links, waiting for pipes or reading without end."""

import os
import stat
from pathlib import Path
from typing import BinaryIO

from host.errors import ToolError


def open_untrusted(file: Path, largest_bytes: int, what: str) -> BinaryIO:
    """Open a regular file of at most that size. ToolError, naming `what` it should be, for everything else."""
    try:
        descriptor = os.open(file, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError as error:
        raise ToolError(f"{what} is not there: {error.strerror}") from error
    state = os.fstat(descriptor)
    if not stat.S_ISREG(state.st_mode):
        os.close(descriptor)
        raise ToolError(f"{what} is not there: not a file")
    if state.st_size > largest_bytes:
        os.close(descriptor)
        raise ToolError(f"{what} has {state.st_size} bytes, at most {largest_bytes} are read")
    return os.fdopen(descriptor, "rb")
