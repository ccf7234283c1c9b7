"""Writing a proposed config/, and telling how it differs from what is there. Nothing is replaced without being told."""

import difflib
import os
from collections.abc import Mapping
from pathlib import Path

from host.errors import ConfigError
from host.files import write_atomically


def standing(folder: Path, files: Mapping[str, str]) -> list[str]:
    """Return the files of a folder that a proposal would replace with something else."""
    return [name for name, text in files.items() if os.path.exists(folder / name) and _text(folder / name) != text]


def differences(folder: Path, files: Mapping[str, str]) -> str:
    """Return the unified diff from what is there to what is proposed."""
    parts: list[str] = []
    for name, text in files.items():
        path = folder / name
        before = _text(path).splitlines(keepends=True) if os.path.exists(path) else []
        after = text.splitlines(keepends=True)
        parts += difflib.unified_diff(before, after, str(path) if before else "/dev/null", f"{name} (proposed)")
    return "".join(parts)


def write(folder: Path, files: Mapping[str, str]) -> list[Path]:
    """Write the files and return their paths. A folder or link in the place of one is refused."""
    for name in files:
        path = folder / name
        if os.path.islink(path) or os.path.exists(path) and not path.is_file():
            raise ConfigError(f"{path}: it is no plain file; move it away")
    for name, text in files.items():
        try:
            write_atomically(folder / name, text.encode(), mode=0o644)
        except OSError as error:
            raise ConfigError(
                f"{folder / name}: cannot be written: {error.strerror}; --output DIR writes elsewhere"
            ) from error
    return [folder / name for name in files]


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path}: cannot be read: {error}") from error
