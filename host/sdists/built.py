"""A wheel made of unpacked sources: in the sandbox, without network, keys and anything of the app's repository."""

import stat
from pathlib import Path

from host.errors import SourceError
from host.package_tools import pip, run_package_tool
from host.resources.shares import Shares
from host.sandbox.run import LAUNCHER_PATH, Completed

BUILD_TIMEOUT_S = 1800
LARGEST_WHEEL_BYTES = 500_000_000
EPOCH_S = 315_532_800  # 1980-01-01, the first day that a zip knows: the same sources make the same wheel


def build_wheel(environment: Path, source: Path, out: Path) -> Completed:
    """Have pip make a wheel of `source` with the build backends of `environment`, into the new folder `out`.

    It sees the environment, the sources and the system's programs. Whatever it leaves in `out` is a stranger's.
    """
    *_, package = pip()
    argv = [str(environment / "bin" / "python"), "-I", package, "wheel", "--no-build-isolation", "--no-deps"]
    argv += ["--no-index", "--no-cache-dir", "--no-input", "--disable-pip-version-check", "-w", str(out), str(source)]
    env = {
        "PATH": f"{environment / 'bin'}:{LAUNCHER_PATH}",
        "LANG": "C.UTF-8",
        "PIP_CONFIG_FILE": "/dev/null",
        "PIP_NO_INDEX": "1",
        "PYTHONHASHSEED": "0",
        "SOURCE_DATE_EPOCH": str(EPOCH_S),
    }
    return run_package_tool(
        argv,
        env,
        reads=[environment, Path(package)],
        writes=[source, out],
        timeout_s=BUILD_TIMEOUT_S,
        shares=Shares(),
        network=False,
    )


def only_wheel(out: Path) -> Path:
    """Return the one wheel that a build left. Raises SourceError if it left anything else."""
    files = sorted(out.iterdir())
    state = files[0].lstat() if len(files) == 1 else None
    if state is None or not stat.S_ISREG(state.st_mode) or state.st_nlink != 1 or files[0].suffix != ".whl":
        raise SourceError("its build did not leave one wheel and nothing else")
    if state.st_size > LARGEST_WHEEL_BYTES:
        raise SourceError(f"its wheel is larger than {LARGEST_WHEEL_BYTES // 1_000_000} MB")
    return files[0]
