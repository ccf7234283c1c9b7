"""Writing a proposed config/, and telling how it differs from what is there. Nothing is replaced without being told."""

import difflib
from collections.abc import Mapping
from pathlib import Path

from host.errors import ConfigError
from host.files import write_atomically


def standing(folder: Path, files: Mapping[str, str]) -> list[str]:
    """Return the files of a folder that a proposal would replace with something else."""
    return [name for name, text in files.items() if (folder / name).exists() and _text(folder / name) != text]


def differences(folder: Path, files: Mapping[str, str]) -> str:
    """Return the unified diff from what is there to what is proposed."""
    parts: list[str] = []
    for name, text in files.items():
        path = folder / name
        before = _text(path).splitlines(keepends=True) if path.exists() else []
        after = text.splitlines(keepends=True)
        parts += difflib.unified_diff(before, after, str(path) if before else "/dev/null", f"{name} (proposed)")
    return "".join(parts)


def write(folder: Path, files: Mapping[str, str]) -> list[Path]:
    """Write the files and return their paths. A folder or link in the place of one is refused."""
    for name in files:
        path = folder / name
        if path.is_symlink() or path.exists() and not path.is_file():
            raise ConfigError(f"{path}: it is no plain file; move it away")
    for name, text in files.items():
        write_atomically(folder / name, text.encode(), mode=0o644)
    return [folder / name for name in files]


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path}: cannot be read: {error}") from error
