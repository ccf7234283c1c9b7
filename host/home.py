"""Where Slipway keeps its state on this host: `.slipway/` in the checkout, or `SLIPWAY_HOME`."""

import hashlib
import os
import re
import tempfile
from dataclasses import dataclass
from pathlib import Path

from host.errors import ConfigError

CHECKOUT = Path(__file__).resolve().parent.parent
# sockaddr_un.sun_path holds 108 bytes (Linux, unix(7)); PostgreSQL and Envoy append names of up to 24.
LONGEST_SOCKET_DIRECTORY = 80
PLAIN = re.compile(r"[A-Za-z0-9_.@+/-]+")


@dataclass(frozen=True)
class Home:
    """The state directory and the names of what lies in it. Creates nothing until asked."""

    root: Path

    @classmethod
    def find(cls) -> "Home":
        """Return the home named by `SLIPWAY_HOME`, else `.slipway/` in this checkout."""
        return cls(Path(os.environ.get("SLIPWAY_HOME") or CHECKOUT / ".slipway").resolve())

    @property
    def env_file(self) -> Path:
        """Return the .env of a home: the checkout's for the default home, else a file inside the home."""
        return CHECKOUT / ".env" if self.root == CHECKOUT / ".slipway" else self.root / ".env"

    @property
    def keys(self) -> Path:
        return self.root / "keys"

    @property
    def store(self) -> Path:
        """Return where artifacts and evidence lie: SLIPWAY_STORE, a directory that several hosts share, or our own."""
        shared = os.environ.get("SLIPWAY_STORE")
        return Path(shared).resolve() if shared else self.root / "store"

    @property
    def cache(self) -> Path:
        return self.root / "cache"

    @property
    def work(self) -> Path:
        return self.root / "work"

    @property
    def cores(self) -> Path:
        """Return the queue for the host's cores (host/resources/cores.py)."""
        return self.root / "cores"

    @property
    def control(self) -> Path:
        return self.root / "control"

    def place(self, environment: str) -> Path:
        """Return the directory of one environment: its journal, lease, router, slots and database."""
        return self.root / "environments" / environment

    def create(self) -> None:
        """Make the directories; only this user can look into any of them. Safe to repeat.

        ConfigError: SLIPWAY_STORE is not there; it is never made, since it may not be mounted.
        """
        own = () if os.environ.get("SLIPWAY_STORE") else (self.store,)
        if not own and not self.store.is_dir():
            raise ConfigError(f"{self.store}: SLIPWAY_STORE is no directory; mount it, or make it")
        for directory in (self.root, self.keys, *own, self.cache, self.work, self.control):
            directory.mkdir(parents=True, exist_ok=True)
            directory.chmod(0o700)

    def sockets(self, name: str) -> Path:
        """Return a 0700 directory for the unix sockets of `name` ("control" or an environment), short enough.

        It lies in the home unless the path would not fit into a socket address, or an app's URL of its database would
        have to percent-encode it; then in a directory of this user's under the system's temporary directory. Where one
        with such a path is already, it stays.
        """
        inside = (self.control if name == "control" else self.place(name)) / "run"
        odd = not PLAIN.fullmatch(str(inside)) and not inside.exists()
        if odd or len(str(inside)) > LONGEST_SOCKET_DIRECTORY:
            mark = hashlib.sha256(str(self.root).encode()).hexdigest()[:12]
            inside = Path(tempfile.gettempdir()) / f"slipway-{os.getuid()}-{mark}" / name
            inside.parent.mkdir(mode=0o700, exist_ok=True)
            if inside.parent.is_symlink() or inside.parent.stat().st_uid != os.getuid():
                raise PermissionError(f"{inside.parent} belongs to another user; set SLIPWAY_HOME to a shorter path")
        inside.mkdir(parents=True, exist_ok=True)
        inside.chmod(0o700)
        return inside
