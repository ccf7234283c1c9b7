"""What a tool may remember from one run to the next: its cache goes in as a copy and comes back when it has looked."""

import os
import shutil
import uuid
from contextlib import suppress
from pathlib import Path

from host.files import give, remove_tree
from host.home import Home
from host.sandbox.run import available, check_owner
from host.trees import DEEPEST
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
        remove_tree(directory)
        try:
            shutil.copytree(self.kept, directory, symlinks=True)
        except (OSError, RecursionError):  # there is none yet, another run is just replacing it, or it is too deep
            remove_tree(directory)
            directory.mkdir(parents=True)
        give(directory, check_owner())

    def take_back(self, directory: Path) -> None:
        """Keep what the tool left there for the next run. Of two that end together one is kept."""
        if directory.is_symlink() or not directory.is_dir() or not _worth_keeping(directory):
            return
        self.kept.parent.mkdir(parents=True, exist_ok=True)
        old = self.kept.with_name(f"{self.kept.name}.{uuid.uuid4().hex[:8]}")
        try:
            if self.kept.exists():
                self.kept.rename(old)
            directory.rename(self.kept)
        except OSError:
            pass  # another run was faster; what it kept is as good
        with suppress(OSError):
            remove_tree(old)


def _worth_keeping(directory: Path) -> bool:
    """Say whether what a tool left is of a size, and a depth, that a copy can be made of."""
    size = 0
    for folder, _, names in os.walk(directory):
        size += sum(os.lstat(os.path.join(folder, name)).st_size for name in names)
        if size > LARGEST_CACHE_BYTES or len(Path(folder).relative_to(directory).parts) > DEEPEST:
            return False
    return True
