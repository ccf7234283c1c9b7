"""An ACME authority on this host: Pebble, the test server of Let's Encrypt, with its DNS stand-in (Debian: pebble)."""

import json
import os
import shutil
import ssl
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest

from host.ports import free_port
from tests.pems import Issuer
from tests.waiting import wait_for

PROGRAMS = ("pebble", "pebble-challtestsrv")


@dataclass(frozen=True)
class Authority:
    """A running authority. Every name leads to this host, and it asks for challenges at `http_port`."""

    directory: str
    root: Path
    http_port: int
    management: int
    dns: int

    def trusted(self) -> ssl.SSLContext:
        """Return a context that believes what it issues."""
        own = ssl.create_default_context(cafile=str(self.root))
        answer = httpx.get(f"https://localhost:{self.management}/roots/0", verify=own, trust_env=False)
        return ssl.create_default_context(cadata=answer.raise_for_status().text)

    def tell(self, what: str, **facts: object) -> None:
        """Change what its DNS says: `set-txt`, `set-servfail` and so on."""
        httpx.post(f"http://127.0.0.1:{self.dns}/{what}", json=facts, trust_env=False).raise_for_status()


@contextmanager
def authority(directory: Path, http_port: int) -> Iterator[Authority]:
    """Run one. Where its programs are not there the test fails in CI, and is skipped elsewhere."""
    if missing := [name for name in PROGRAMS if not shutil.which(name)]:
        said = f"needs {' and '.join(missing)} (Debian: apt-get install pebble)"
        if os.environ.get("CI") == "true":
            pytest.fail(said)
        pytest.skip(said)
    issuer, (acme, management, names, control) = Issuer.make(), (free_port() for _ in range(4))
    root, chain, key = directory / "root.pem", directory / "pebble.pem", directory / "pebble.key"
    for file, pem in zip((root, chain, key), (issuer.root_pem, *issuer.pair("localhost")), strict=True):
        file.write_bytes(pem)
    config = {
        "listenAddress": f"localhost:{acme}",
        "managementListenAddress": f"localhost:{management}",
        "certificate": str(chain),
        "privateKey": str(key),
        "httpPort": http_port,
        "tlsPort": free_port(),
    }
    file = directory / "pebble.json"
    file.write_text(json.dumps({"pebble": config}))
    stand_in = ["-dns01", f"127.0.0.1:{names}", "-management", f"127.0.0.1:{control}", "-defaultIPv6", ""]
    stand_in += ["-http01", "", "-https01", "", "-tlsalpn01", ""]
    made = Authority(f"https://localhost:{acme}/dir", root, http_port, management, control)
    with (
        _running(["pebble-challtestsrv", *stand_in], {}, directory / "dns.log"),
        _running(
            ["pebble", "-config", str(file), "-dnsserver", f"127.0.0.1:{names}"],
            {"PEBBLE_VA_NOSLEEP": "1", "PEBBLE_WFE_NONCEREJECT": "0"},
            directory / "pebble.log",
        ),
    ):
        trust = ssl.create_default_context(cafile=str(root))
        wait_for(lambda: _answers(made.directory, trust), "Pebble answers")
        yield made


def _answers(url: str, trust: ssl.SSLContext) -> bool:
    try:
        return httpx.get(url, verify=trust, trust_env=False).status_code == 200
    except httpx.HTTPError:
        return False


@contextmanager
def _running(argv: list[str], more: Mapping[str, str], log: Path) -> Iterator[None]:
    with log.open("wb") as out, subprocess.Popen(argv, env={**os.environ, **more}, stdout=out, stderr=out) as process:
        try:
            yield
        finally:
            process.terminate()
