"""pip and uv, run where none of our files is: in the sandbox, as who checks run, with an environment of our making.

They see the system's programs, a lock of ours and the folder that they fill. No file configures them. What this host
says of package indexes (PIP_*, UV_*, pip's own configuration), proxies and certificates is passed on, and nothing else
of its environment.
"""

import ast
import os
import re
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from urllib.parse import unquote, urlsplit

from host.errors import ToolError
from host.files import give, lent
from host.home import CHECKOUT, Home
from host.resources.shares import Shares
from host.sandbox import run as sandbox

PROXIES = ("HTTPS_PROXY", "HTTP_PROXY", "ALL_PROXY", "NO_PROXY", "https_proxy", "http_proxy", "all_proxy", "no_proxy")
AUTHORITIES = ("SSL_CERT_FILE", "SSL_CERT_DIR", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE")
UV_SETTINGS = re.compile(
    "UV_(INDEX|DEFAULT_INDEX|INDEX_URL|EXTRA_INDEX_URL|FIND_LINKS|INDEX_STRATEGY|INSECURE_HOST|NATIVE_TLS|SYSTEM_CERTS"
    "|HTTP_TIMEOUT|HTTP_RETRIES|CONCURRENT_DOWNLOADS|INDEX_[A-Z0-9_]+_(USERNAME|PASSWORD))"
)
PIP_SETTINGS = (
    *("index-url", "extra-index-url", "find-links", "no-index", "trusted-host"),
    *("cert", "client-cert", "proxy", "timeout", "default-timeout", "retries"),
)
# Of `pip config list`, the later ones win.
PIP_SECTIONS = ("global", "download", ":env:")
PIP_SETTING = re.compile(r"(?P<section>[^.\s]+)\.(?P<name>[a-z-]+)=(?P<value>.*)")
CONFIG_TIMEOUT_S = 600


def uv_environment() -> dict[str, str]:
    """Return uv's whole environment: no file configures it."""
    given = {name: value for name, value in os.environ.items() if UV_SETTINGS.fullmatch(name)}
    return {**_base(), **given, "UV_NO_CONFIG": "1", "UV_NO_PROGRESS": "1", "UV_PYTHON_DOWNLOADS": "never"}


def pip_environment() -> dict[str, str]:
    """Return pip's whole environment: no file configures it. What this host's own files say of indexes is in it."""
    settings = {f"PIP_{name.upper().replace('-', '_')}": value for name, value in _pip_settings().items()}
    fixed = {"PIP_CONFIG_FILE": os.devnull, "PIP_NO_INPUT": "1", "PIP_DISABLE_PIP_VERSION_CHECK": "1"}
    return {**_base(), **settings, **fixed}


def pip() -> list[str]:
    """Return the command that is our pip, without anything else of our environment."""
    return [os.path.realpath(sys.executable), "-I", "-S", str(_pip_package())]


def run_package_tool(
    argv: Sequence[str],
    env: Mapping[str, str],
    *,
    reads: Sequence[Path] = (),
    named: Sequence[Path] = (),
    writes: Sequence[Path],
    cache: Path | None = None,
    timeout_s: float,
    shares: Shares | None = None,
    network: bool = True,
) -> sandbox.Completed:
    """Run one of them in the sandbox and return how it ended. With `shares` it yields to what serves.

    `writes` are made, belong to the sandbox's user while it runs and to us afterwards: what is in them is then ours to
    look at, and nothing of the tool is left that could change it. `cache` is one more of
    them, and other runs may use it at the same time. Without `network` it has none, where the host permits that. Raises
    ToolError when it could not be run.
    """
    level = sandbox.available()
    alone = level is sandbox.Isolation.NAMESPACES and not network
    tool = sandbox.Sandbox(
        level,
        read_only=tuple(reads),
        named=(*named, *_named_paths(env)),
        writable=(*writes, *([cache] if cache else [])),
        network=sandbox.Network.LOOPBACK if alone else sandbox.Network.HOST,
        uid=sandbox.CHECK_UID,
        shares=shares,
    )
    with ExitStack() as given:
        if cache:
            cache.mkdir(parents=True, exist_ok=True)
            given.enter_context(lent(cache, tool.owner()))
        for directory in writes:
            directory.mkdir(parents=True, exist_ok=True)
            given.callback(give, directory, os.geteuid())
            give(directory, tool.owner())
        return sandbox.run(argv, cwd=Path("/"), env=env, sandbox=tool, timeout_s=timeout_s)


def _base() -> dict[str, str]:
    reached = {name: os.environ[name] for name in (*PROXIES, *AUTHORITIES) if os.environ.get(name)}
    return {"PATH": sandbox.LAUNCHER_PATH, "LANG": "C.UTF-8", **reached}


def _pip_package() -> Path:
    import pip as package  # only its place: nothing of it runs here

    return Path(package.__file__).parent


def _pip_settings() -> dict[str, str]:
    """Return what this host's own files and variables tell pip about indexes. Raises ToolError if pip does not run."""
    try:
        listed = subprocess.run(
            [*pip(), "config", "list"], cwd="/", capture_output=True, text=True, timeout=CONFIG_TIMEOUT_S, check=True
        )
    except (OSError, subprocess.SubprocessError) as error:
        raise ToolError(f"pip cannot tell its configuration: {error}") from error
    found = [match for line in listed.stdout.splitlines() if (match := PIP_SETTING.fullmatch(line))]
    by_section: Callable[[str], dict[str, str]] = lambda section: {
        match["name"]: str(ast.literal_eval(match["value"]))
        for match in found
        if match["section"] == section and match["name"] in PIP_SETTINGS
    }
    return {name: value for section in PIP_SECTIONS for name, value in by_section(section).items()}


def _named_paths(env: Mapping[str, str]) -> list[Path]:
    """Return the files and folders of this host that an environment of ours names: an index, links, certificates."""
    named = []
    for name, value in env.items():
        if name in ("PATH", "PIP_CONFIG_FILE"):
            continue
        for word in value.split():
            path = Path(unquote(urlsplit(word).path) if word.startswith("file:") else word)
            if path.is_absolute() and path.exists():
                named.append(_mirror(path) if "INDEX" in name else path)
    return named


def _mirror(index: Path) -> Path:
    """Return what must be seen of an index in a folder: its pages lead to files beside it (simple/, packages/)."""
    holds_ours = any(ours.is_relative_to(index.parent) for ours in (Home.find().root, CHECKOUT))
    return index if holds_ours or len(index.parts) < 3 else index.parent
