"""What a tool may remember from one run to the next: its cache goes in as a copy and comes back when it has looked."""

import os
import shutil
import uuid
from pathlib import Path

from host.files import give
from host.home import Home
from host.sandbox.run import available, check_owner
from tasks.source.git import Source

LARGEST_CACHE_BYTES = 1_000_000_000


class ToolCache:
    """The cache of one tool in one environment, for the commits of one branch.

    A tool runs the app's code (mypy its plugins), which could write what it likes into it: so no branch reads what
    another one's commits wrote, and nothing that is not signable writes what a signable commit reads.
    """

    def __init__(self, name: str, environment: Path, source: Source) -> None:
        key = f"{source.scope.own}-{available()}"
        self.kept = Home.find().cache / "tools" / environment.name / name / key

    def lend(self, directory: Path) -> None:
        """Put a copy of the cache, or an empty folder, where the tool will look for it. Safe to repeat and to race."""
        shutil.rmtree(directory, ignore_errors=True)
        try:
            shutil.copytree(self.kept, directory, symlinks=True)
        except (OSError, shutil.Error):  # there is none yet, or another run is just replacing it
            shutil.rmtree(directory, ignore_errors=True)
            directory.mkdir(parents=True)
        give(directory, check_owner())

    def take_back(self, directory: Path) -> None:
        """Keep what the tool left there for the next run. Of two that end together one is kept."""
        if directory.is_symlink() or not directory.is_dir() or _size(directory) > LARGEST_CACHE_BYTES:
            return
        self.kept.parent.mkdir(parents=True, exist_ok=True)
        old = self.kept.with_name(f"{self.kept.name}.{uuid.uuid4().hex[:8]}")
        try:
            if self.kept.exists():
                self.kept.rename(old)
            directory.rename(self.kept)
        except OSError:
            pass  # another run was faster; what it kept is as good
        shutil.rmtree(old, ignore_errors=True)


def _size(directory: Path) -> int:
    return sum(
        os.lstat(os.path.join(folder, name)).st_size for folder, _, names in os.walk(directory) for name in names
    )
