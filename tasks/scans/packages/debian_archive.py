"""Debian's security archive: which versions it has. Whatever is not whole, current and as signed for is an error."""

import hashlib
import lzma
import re
import shutil
import subprocess
import tempfile
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from pathlib import Path

import httpx

from gates.scans.debian import Package, check_release, read_packages
from host.errors import SourceAway, ToolError, is_busy
from host.http import TooLarge, read_at_most

TIMEOUT_S = 30
LARGEST_INDEX_BYTES = 200_000_000
APT = Path("/etc/apt")
KEYRING = Path("/usr/share/keyrings/debian-archive-keyring.gpg")
ARCHITECTURES = {
    "amd64": "amd64",
    "arm64": "arm64",
    "386": "i386",
    "arm": "armhf",
    "ppc64le": "ppc64el",
    "s390x": "s390x",
}
_LINE = re.compile(r"deb\s+(?:\[[^]]*\]\s+)?(https?://\S+)\s+(\S+)")


def security_archive(configured: str, apt: Path = APT) -> str:
    """Return the address of the archive with the security suites: the configured one, else this host's own."""
    if configured:
        return configured.rstrip("/")
    for file in [apt / "sources.list", *sorted((apt / "sources.list.d").glob("*"))]:
        if file.suffix not in (".list", ".sources") or not file.is_file():
            continue
        if found := _archive_in(file.read_text(encoding="utf-8", errors="replace")):
            return found.rstrip("/")
    raise SourceAway(
        "this host's apt names no security archive; set debian_security_url under [scans] in pipeline.toml"
    )


def _archive_in(text: str) -> str:
    for block in re.split(r"\n\s*\n", text):
        fields = dict(re.findall(r"^(URIs|Suites):\s*(.+)$", block, re.MULTILINE))
        if "-security" in fields.get("Suites", "") and fields.get("URIs"):
            return str(fields["URIs"].split()[0])
    lines = [line.strip() for line in text.splitlines()]
    return next((one[1] for line in lines if (one := _LINE.match(line)) and "-security" in one[2]), "")


def security_versions(
    archive: str, codename: str, architecture: str, now: datetime, keyring: Path = KEYRING
) -> tuple[list[Package], str]:
    """Return what the security suite of a release has, and how far it was verified. Reads over the network, 30 s each.

    Raises ToolError if it cannot be reached, is not what its release file says, or is past its date. `now` is aware.
    """
    if not re.fullmatch(r"[a-z]{2,20}", codename) or architecture not in ARCHITECTURES:
        raise ToolError(f"no security suite is known for {codename[:30]!r} on {architecture[:30]!r}")
    suite = f"{codename}-security"
    index = f"main/binary-{ARCHITECTURES[architecture]}/Packages.xz"
    base = f"{archive}/dists/{suite}"
    with httpx.Client(timeout=TIMEOUT_S, follow_redirects=True, transport=httpx.HTTPTransport(retries=2)) as client:
        release, how = _verified(_fetched(client, f"{base}/InRelease"), keyring)
        digest, until = check_release(release.decode(errors="replace"), suite, index)
        packed = _fetched(client, f"{base}/{index}")
    if hashlib.sha256(packed).hexdigest() != digest:
        raise SourceAway("the security archive's index is not the one that its release file names")
    if until and parsedate_to_datetime(until).astimezone(UTC) < now:
        raise SourceAway(f"the security archive's release file was good until {until}: a stale mirror")
    packages = read_packages(_unpacked(packed).decode(errors="replace"), installed=False)
    if not packages:
        raise ToolError("the security archive's index names no packages")
    return packages, how


def _fetched(client: httpx.Client, url: str) -> bytes:
    what = url.rpartition("/")[2]
    try:
        with client.stream("GET", url) as answer:
            if answer.status_code != 200:
                raise SourceAway(
                    f"the security archive answers {answer.status_code} for {what}",
                    transient=is_busy(answer.status_code),
                )
            return read_at_most(answer, LARGEST_INDEX_BYTES)
    except TooLarge as error:
        raise SourceAway(f"the security archive's {what} does not end") from error
    except httpx.HTTPError as error:
        raise SourceAway(f"the security archive cannot be reached for {what}: {type(error).__name__}") from error


def _unpacked(packed: bytes) -> bytes:
    try:
        text = lzma.LZMADecompressor(memlimit=1_000_000_000).decompress(packed, max_length=LARGEST_INDEX_BYTES)
    except lzma.LZMAError as error:
        raise SourceAway("the security archive's index cannot be unpacked") from error
    return text


def _verified(release: bytes, keyring: Path) -> tuple[bytes, str]:
    """Return the text of a release file that is signed, and how that was checked. Raises ToolError if it is not.

    Without gpgv and the keyring the text is returned as it is, and the note says so.
    """
    gpgv = shutil.which("gpgv", path="/usr/bin:/bin")
    if not gpgv or not keyring.is_file():
        return release, "the archive's signature was not checked: gpgv or Debian's keyring is not here"
    with tempfile.TemporaryDirectory(prefix="slipway-") as folder:
        file = Path(folder, "InRelease")
        file.write_bytes(release)
        argv = [gpgv, "--keyring", str(keyring), "--output", "-", str(file)]
        env = {"PATH": "/usr/bin:/bin", "HOME": folder, "LANG": "C.UTF-8"}
        try:
            done = subprocess.run(argv, capture_output=True, timeout=TIMEOUT_S, check=False, env=env)
        except (subprocess.TimeoutExpired, OSError) as error:
            raise SourceAway(f"the archive's signature could not be checked: {type(error).__name__}") from error
    if done.returncode:
        raise SourceAway("the security archive's release file is not signed by Debian's archive key")
    return done.stdout, ""
