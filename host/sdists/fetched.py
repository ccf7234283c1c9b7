"""Source distributions as the index has them, checked by hash; nothing of theirs is run."""

import shutil
import stat
from collections.abc import Collection
from pathlib import Path

from host.errors import SourceError, ToolError, was_not_answered
from host.files import sha256_file
from host.package_tools import pip, pip_environment, run_package_tool
from host.resources.shares import Shares

SCRIPT = Path(__file__).with_name("pip_finder.py")
# Last in line: nothing beside pip stands in for a part of the library.
START = "import runpy, sys; sys.path.append(sys.argv.pop(1)); runpy.run_path(sys.argv.pop(1), run_name='__main__')"
ANSWERS = (10, 11, 12)  # its codes for what the index has or has not
FETCH_TIMEOUT_S = 1800
LARGEST_SDIST_BYTES = 300_000_000


def fetch_sdist(name: str, version: str, hashes: Collection[str], out: Path) -> Path:
    """Fetch the source distribution of a package that has one of these SHA-256, into the new folder `out`, and return
    it. What is beside `out` is ours alone.

    Raises SourceError if the index has none, one with other hashes or one that is too large, and ToolError if it could
    not be asked.
    """
    script = Path(shutil.copyfile(SCRIPT, out.with_name(SCRIPT.name)))  # no sandbox sees our own files
    script.chmod(0o444)
    *python, package = pip()
    argv = [*python, "-c", START, str(Path(package).parent), str(script)]
    argv += [str(out), str(LARGEST_SDIST_BYTES), name, version]
    done = run_package_tool(
        [*argv, *sorted(hashes)],
        pip_environment(),
        reads=[script, Path(package)],
        writes=[out],
        timeout_s=FETCH_TIMEOUT_S,
        shares=Shares(),
    )
    what = f"the source distribution of {name} {version}"
    if done.timed_out:
        raise ToolError(f"{what} was not fetched within {FETCH_TIMEOUT_S} s", transient=True)
    trouble = done.output.strip()[-1000:] or done.how
    if was_not_answered(trouble) or done.failed and done.returncode not in ANSWERS:
        raise ToolError(f"{what} cannot be fetched: {trouble}", transient=was_not_answered(trouble))
    if done.failed:
        raise SourceError(f"{what} cannot be had: {trouble.splitlines()[-1]}")
    files = sorted(out.iterdir())
    state = files[0].lstat() if len(files) == 1 else None
    if state is None or not stat.S_ISREG(state.st_mode) or state.st_nlink != 1 or sha256_file(files[0]) not in hashes:
        raise ToolError(f"{what}: what came is not the file that the lock names")
    return files[0]
