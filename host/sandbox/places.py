"""Which parts of the host a sandbox may be given. Our code names them; nothing that an app brings is asked."""

import os
import re
import stat
import sys
import tempfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path

from host.errors import ConfigError, SlipwayError, ToolError
from host.files import write_atomically
from host.home import CHECKOUT, Home
from host.sandbox.launcher import CLOSED, ETC_DIRECTORIES, SYSTEM_DIRECTORIES

# What of the state directory; `*` is any one name.
STATE = (
    "work/*",
    "installed/*",
    "cache/environments/*",
    "cache/wheels/*",
    "cache/downloads/*",
    "cache/tools/*",
    "cache/kingfisher/*",
    "cache/pip",
    "cache/uv",
    "environments/*/postgres/data",
    "environments/*/postgres/initdb-*",
    "environments/*/postgres/pg_hba.conf",
    "environments/*/run/pg",
    "environments/*/router",
    "environments/*/run/router",
    "control/postgres/data",
    "control/postgres/initdb-*",
    "control/run/pg",
    "control/suites/data",
    "control/suites/initdb-*",
    "control/run/suites/pg",
)
# Where the environments lie that we make, by scope (evidence/scopes.py). No app writes into these directories
# themselves.
ENVIRONMENTS = re.compile(r"(cache/environments(/shared|/protected-[0-9a-f]{16}|/branch-[0-9a-f]{16})?|installed)")
SYSTEM = ("/usr", "/bin", "/sbin", "/lib", "/lib32", "/lib64", "/libx32", "/opt", "/nix/store")
# Variables of the operator that name files of certificates, or programs.
CERTIFICATES = ("SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "NODE_EXTRA_CA_CERTS")
REDIS, BINARIES = "REDIS_SERVER_PATH", "SLIPWAY_POSTGRES_BIN"
RECORD = ".prefix"


@dataclass(frozen=True)
class Place:
    """A directory, or with `pattern` what of it. `private`: it may lie in the state directory or the checkout."""

    root: Path
    pattern: str = ""
    private: bool = False

    def holds(self, path: Path) -> bool:
        """Return whether a path is this place or lies in it."""
        if not path.is_relative_to(self.root):
            return False
        wanted = Path(self.pattern).parts
        parts = path.relative_to(self.root).parts
        return len(parts) >= len(wanted) and all(map(fnmatchcase, parts, wanted))


class Places:
    """The places of which a sandbox may be given something:

    - of the state directory those in `STATE`: a run's work, what is installed, environments, tools' caches, a
      PostgreSQL's data and socket, a router's files. Never keys, journals, secrets, a store, or another program's
      socket;
    - of the checkout the environment that runs us, which brings Node and PostgreSQL;
    - elsewhere the system's programs, `interpreters` (the prefixes of the Pythons that run environments), what lies
      below the directory for temporary files, and what a variable of the operator names.

    Never the root, `CLOSED`, or what has the state directory, the store or the checkout in it. No symbolic link may
    lie below a place: an app may have laid it.
    """

    def __init__(self, interpreters: Iterable[Path] = (), apart: bool = True) -> None:
        """Know the places of this host. `apart`: the program is another user than we are.

        Raises ConfigError if what every sandbox sees holds our own files, and only their modes could keep them from it.
        """
        home = Home.find()
        self._closed = {home.root, home.store, CHECKOUT}
        shown = [Path("/", name) for name in SYSTEM_DIRECTORIES]
        for root in () if apart else self._closed:
            if seen := next((one for one in shown if root.is_relative_to(one)), None):
                raise ConfigError(
                    f"{root} lies below {seen}, which every sandbox sees, and an app has our uid on this host: "
                    "move it, or run Slipway as root"
                )
        self._places: list[Place] = []
        for place in _places(home, interpreters):
            real = Path(os.path.realpath(place.root))
            self._places += [place, Place(real, place.pattern, place.private)]

    def source(self, path: Path) -> Path:
        """Return where a path that is to be bound really lies. Raises ConfigError when no place holds it, ToolError
        for a link.
        """
        path = path.absolute()
        real = Path(os.path.realpath(path))
        place = self._holding(path)
        if place is None:
            raise ConfigError(f"{path} is given to no sandbox: {self._why(path)}")
        if real != Path(os.path.realpath(place.root)) / path.relative_to(place.root):
            raise ToolError(f"cannot bind {path}: a symbolic link stands in its path, below {place.root}")
        if self._holding(real) is None:
            raise ConfigError(f"{path} is given to no sandbox: it leads to {real}: {self._why(real)}")
        return real

    def _holding(self, path: Path) -> Place | None:
        if ".." in path.parts or self._why_never(path):
            return None
        closed = any(path.is_relative_to(root) for root in self._closed)
        held = (place for place in self._places if (place.private or not closed) and place.holds(path))
        return max(held, key=lambda place: len(place.root.parts), default=None)

    def _why_never(self, path: Path) -> str:
        if any(path.is_relative_to(closed) for closed in CLOSED):
            return "processes, devices and sockets of the host never are"
        if inside := next((root for root in self._closed if root.is_relative_to(path)), None):
            return f"{inside} lies in it; keep Slipway and its state apart from what apps see"
        return ""

    def _why(self, path: Path) -> str:
        return self._why_never(path) or (
            "it is none of the places that host/sandbox/places.py lists; "
            "a program of yours is named by its SLIPWAY_ variable, or lies below /usr or /opt"
        )


def _places(home: Home, interpreters: Iterable[Path]) -> Iterator[Place]:
    for pattern in STATE:
        parts = Path(pattern).parts
        fixed = next((number for number, part in enumerate(parts) if "*" in part), len(parts))
        yield Place(home.root.joinpath(*parts[:fixed]), "/".join(parts[fixed:]), private=True)
    for prefix in (Path(sys.prefix), *interpreters):
        yield Place(prefix, private=True)
    for name in SYSTEM:
        yield Place(Path(name))
    yield Place(Path(tempfile.gettempdir()), "*")
    for named in _named():
        yield Place(named)


def _named() -> Iterator[Path]:
    """Yield what the operator's variables name: a file of certificates, a program, or a program's environment."""
    for name, value in os.environ.items():
        if not os.path.isabs(value):
            continue
        path = Path(value)
        if name in CERTIFICATES and path.is_file():
            yield path
        elif name == BINARIES:
            yield path.parent
        elif name == REDIS:
            yield Path(os.path.realpath(path)).parent
        elif name.startswith("SLIPWAY_") and path.is_file() and os.access(path, os.X_OK):
            yield path.parent.parent if (path.parent.parent / "pyvenv.cfg").is_file() else path


def is_for_all(path: Path) -> bool:
    """Return whether every sandbox sees a path: of the host's programs, libraries and certificates."""
    shown = [Path("/", name) for name in SYSTEM_DIRECTORIES] + [Path("/etc", name) for name in ETC_DIRECTORIES]
    return all(any(one.is_relative_to(root) for root in shown) for one in (path, Path(os.path.realpath(path))))


def withheld(paths: Iterable[Path]) -> str:
    """Return why no sandbox is given one of these paths; "" when all can be given."""
    places = Places()
    for path in paths:
        try:
            places.source(path)
        except SlipwayError as error:
            return str(error)
    return ""


# ---- the interpreters of environments


def record_interpreter(environment: Path, prefix: Path) -> None:
    """Write down beside an environment where its interpreter lives, for its sandboxes. Safe to repeat."""
    write_atomically(_record(environment), f"{prefix}\n".encode())


def has_record(environment: Path) -> bool:
    """Return whether it is written down where the environment's interpreter lives."""
    return _record(environment).is_file()


def recorded_interpreters(paths: Iterable[Path]) -> Iterator[Path]:
    """Yield the prefixes that are written down beside those of the paths that are environments of ours.

    Only beside: what lies in an environment came with an app's packages. Raises ConfigError for a file that others can
    write.
    """
    root = Home.find().root
    for path in (path.absolute() for path in paths):
        ours = path.parent.is_relative_to(root) and ENVIRONMENTS.fullmatch(str(path.parent.relative_to(root)))
        if ours and has_record(path):
            yield _read_record(_record(path))


def _record(environment: Path) -> Path:
    return environment.with_name(environment.name + RECORD)


def _read_record(file: Path) -> Path:
    with open(os.open(file, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC), encoding="utf-8") as opened:
        status = os.fstat(opened.fileno())
        if status.st_uid != os.geteuid() or stat.S_IMODE(status.st_mode) & 0o022:
            raise ConfigError(f"{file}: belongs to another user, or others can write it; remove it and its environment")
        prefix = opened.read().rstrip("\n")
    if not os.path.isabs(prefix):
        raise ConfigError(f"{file}: got {prefix!r}, expected the prefix of a Python; remove it and its environment")
    return Path(prefix)
