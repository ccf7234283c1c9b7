"""What the demo and a hostile commit left behind holds no secret of this host, but where it belongs."""

import base64
import gzip
import json
import os
import re
import subprocess
import tarfile
from collections.abc import Iterator, Mapping
from fnmatch import fnmatch
from pathlib import Path

import psutil
import psycopg
import pytest
from psycopg import sql

from host.databases.postgres import Postgres
from host.masking import SHORTEST_SECRET
from tests.conftest import OPERATORS_SECRETS
from tests.installation import CHECKOUT, Installation

pytestmark = [pytest.mark.stack]

# secret -> where it may stand, below the state directory. Each of these is 0600, or the router's.
BELONGS: Mapping[str, tuple[str, ...]] = {
    "keys/*": ("keys/*",),
    "keys/prefect-auth": ("keys/prefect-auth", ".env", "control/supervisor/conf.d/*.json"),
    "environments/*/secrets/*": ("environments/*/secrets/*", "environments/*/slots/*/sandbox-*.json"),
    "environments/*/preview.secret": ("environments/*/preview.secret", "environments/*/router/*/rds.json"),
    "environments/*/postgres/superuser": ("environments/*/postgres/superuser",),
    "environments/*/postgres/roles/*": ("environments/*/postgres/roles/*", "environments/*/slots/*/sandbox-*.json"),
    "control/postgres/superuser": ("control/postgres/superuser",),
    "control/postgres/roles/*": ("control/postgres/roles/*", "control/supervisor/conf.d/*.json"),
}
PUBLIC = ("*.pub", "keys/trusted/*", "keys/revoked.toml")
# What packages and tools brought: gigabytes of others, in which no program of ours writes what it knows.
OF_OTHERS = ("environments", "uv", "pip", "wheels", "downloads", "kingfisher")


def secrets_of(root: Path) -> dict[str, tuple[str, tuple[str, ...]]]:
    """Return secret text -> the file that it is of, and where it may stand."""
    found = {secret: (f"the variable {name}", ()) for name, secret in OPERATORS_SECRETS.items()}
    for pattern, places in BELONGS.items():
        files = [file for file in root.glob(pattern) if file.is_file()]
        ours = [file for file in files if not any(fnmatch(str(file.relative_to(root)), one) for one in PUBLIC)]
        assert ours, f"no secret at {pattern}: has it moved?"
        for file in ours:
            found |= {text: (str(file.relative_to(root)), places) for text in texts(file.read_bytes())}
    return found


def texts(raw: bytes) -> list[str]:
    """Return what of a file of secrets is secret: lines of a private key, a password after its user, or all of it.

    Of bytes, how they would be written.
    """
    try:
        content = raw.decode("ascii")
    except UnicodeDecodeError:
        return [raw.hex(), base64.b64encode(raw).decode().rstrip("=")]
    if "-----BEGIN" in content:
        private = re.findall(r"-----BEGIN [A-Z ]*PRIVATE KEY-----(.*?)-----END", content, re.DOTALL)
        return [line for block in private for line in block.split()]
    words = [content.strip(), content.strip().partition(":")[2]]
    return [word for word in words if len(word) >= SHORTEST_SECRET]


def holding(root: Path, secrets: Path) -> list[Path]:
    """Return the files below a directory in which one of the secrets stands."""
    skipped = [f"--exclude-dir={name}" for name in OF_OTHERS] if root.name == "cache" else []
    argv = ["grep", "-rlaF", "-f", str(secrets), *skipped, "--", str(root)]
    done = subprocess.run(argv, capture_output=True, text=True, check=False)
    # A database that runs removes files of its own while they are looked through.
    unread = [line for line in done.stderr.splitlines() if not line.endswith(": No such file or directory")]
    assert done.returncode in (0, 1) or (done.returncode == 2 and done.stderr and not unread), done.stderr
    return [Path(line) for line in done.stdout.splitlines()]


def unpacked(root: Path) -> Iterator[tuple[Path, bytes]]:
    """Yield what lies packed in artifacts, runs and evidence: files of archives, and the payloads of statements."""
    for file in (one for folder in ("store", "work") for one in (root / folder).rglob("*") if one.is_file()):
        head = file.open("rb").read(2)
        if head == b"\x1f\x8b" and tarfile.is_tarfile(file):
            with tarfile.open(file) as archive:
                members = (archive.extractfile(member) for member in archive if member.isfile())
                yield from ((file, member.read()) for member in members if member)
        elif head == b"\x1f\x8b":
            yield file, gzip.decompress(file.read_bytes())
        elif file.suffix == ".json" or head[:1] == b"{":
            yield file, _payload(file.read_bytes())


def _payload(content: bytes) -> bytes:
    try:
        return base64.b64decode(json.loads(content)["payload"])
    except (ValueError, KeyError, TypeError):
        return b""


def rows(installation: Installation) -> Iterator[tuple[str, str]]:
    """Yield each row of Prefect's database as text: runs with parameters and messages, logs, artifacts, blocks."""
    server = Postgres(installation.home.control / "postgres", installation.home.sockets("control"))
    with psycopg.connect(server.url("prefect", "prefect", scheme="postgresql")) as connection:
        tables = connection.execute("SELECT tablename FROM pg_tables WHERE schemaname = 'public'").fetchall()
        assert {("flow_run",), ("log",), ("artifact",)} <= set(tables)
        for (table,) in tables:
            query = sql.SQL("SELECT t::text FROM {} t").format(sql.Identifier(table))
            yield from ((f"table {table}", row) for (row,) in connection.execute(query))


def command_lines() -> Iterator[tuple[str, str]]:
    for process in psutil.process_iter():
        try:
            yield f"process {process.pid}, {process.name()}", " ".join(process.cmdline())
        except psutil.Error:
            continue


def misplaced(installation: Installation, tmp_path: Path) -> list[str]:
    """Return where a secret stands that does not belong there."""
    root = installation.root
    secrets = secrets_of(root)
    listed = tmp_path / "secrets"
    listed.write_text("\n".join(secrets))
    any_of = re.compile("|".join(map(re.escape, secrets)))
    places = [*sorted(root.iterdir()), *CHECKOUT.glob("*.md"), CHECKOUT / "config", CHECKOUT / "prefect.yaml"]
    wrong = []
    for file in (file for place in places for file in holding(place, listed)):
        shown = str(file.relative_to(root)) if file.is_relative_to(root) else str(file)
        for secret in set(any_of.findall(file.read_bytes().decode("utf-8", "replace"))):
            of, where = secrets[secret]
            if not any(fnmatch(shown, one) for one in where):
                wrong.append(f"{shown}: {of}")
            if file.stat().st_mode & 0o007:
                wrong.append(f"{shown}: everybody may read it")
    packed = ((str(file.relative_to(root)), content.decode("utf-8", "replace")) for file, content in unpacked(root))
    for where_, text in (*packed, *rows(installation), *command_lines()):
        wrong += [f"{where_}: {secrets[secret][0]}" for secret in set(any_of.findall(text))]
    return sorted(set(wrong))


def test_no_secret_stands_where_it_does_not_belong(installation: Installation, tmp_path: Path) -> None:
    assert misplaced(installation, tmp_path) == []


@pytest.mark.parametrize("place", ["work/left/output.txt", "store/left", "demo/report.txt", "cache/left"])
def test_one_that_is_left_somewhere_is_found(installation: Installation, tmp_path: Path, place: str) -> None:
    left = installation.root / place
    left.parent.mkdir(exist_ok=True)
    try:
        key = (installation.root / "keys" / "evidence.key").read_text().split("\n")[1]
        left.write_text(f"a line\nand {key} in it\n" + next(iter(OPERATORS_SECRETS.values())))
        found = misplaced(installation, tmp_path)
        assert f"{place}: keys/evidence.key" in found and any("the variable" in one for one in found)
    finally:
        left.unlink()


def test_one_in_a_command_line_or_an_archive_is_found(installation: Installation, tmp_path: Path) -> None:
    secret = next(iter(OPERATORS_SECRETS.values()))
    (tmp_path / "x").write_text(secret)
    archive = installation.root / "store" / "left.tar.gz"
    with tarfile.open(archive, "w:gz") as made:
        made.add(tmp_path / "x")
    shown = subprocess.Popen(["sleep", "600"], executable="/bin/sleep", env=os.environ)
    told = subprocess.Popen([f"sleep {secret}", "600"], executable="/bin/sleep")
    try:
        found = misplaced(installation, tmp_path)
        assert any(one.startswith("store/left.tar.gz") for one in found)
        assert any(one.startswith(f"process {told.pid},") for one in found)
        assert not any(one.startswith(f"process {shown.pid},") for one in found)
    finally:
        archive.unlink()
        for process in (shown, told):
            process.kill()
            process.wait()
