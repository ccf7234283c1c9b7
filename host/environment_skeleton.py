"""What `uv venv` puts into an environment, and that nothing which was installed afterwards has changed it."""

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from host.errors import ToolError

CONFIG = "pyvenv.cfg"


@dataclass(frozen=True)
class Skeleton:
    """An environment's configuration, and all its symbolic links with their targets: wheels bring no links."""

    config: bytes
    links: Mapping[str, str]

    @classmethod
    def of(cls, directory: Path) -> "Skeleton":
        """Return the skeleton of a fresh environment. Raises ToolError if it has no configuration."""
        file = directory / CONFIG
        if file.is_symlink() or not file.is_file():
            raise ToolError(f"{directory}: {CONFIG}: is no file any more; uv venv wrote one")
        return cls(file.read_bytes(), dict(_links(directory)))

    def refuse_changes(self, directory: Path, lock: str, reserved: str) -> None:
        """Raise ToolError when a package of `lock` changed the skeleton, or brought the file `reserved`."""
        after = Skeleton.of(directory)
        changed = [CONFIG] if after.config != self.config else []
        changed += sorted(name for name, _ in self.links.items() ^ after.links.items())
        changed += [reserved] if os.path.lexists(directory / reserved) else []
        if changed:
            raise ToolError(
                f"{lock}: a package writes over what is ours in its environment: {', '.join(dict.fromkeys(changed))}; "
                "remove that package (a wheel's *.data/data folder holds such files)"
            )


def _links(directory: Path) -> Iterator[tuple[str, str]]:
    for folder, folders, files in os.walk(directory):
        for name in (*folders, *files):
            path = os.path.join(folder, name)
            if os.path.islink(path):
                yield os.path.relpath(path, directory), os.readlink(path)
