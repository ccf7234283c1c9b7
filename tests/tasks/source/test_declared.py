"""What a tool says of a commit is told without the secrets that the commit declares."""

import tarfile
from pathlib import Path

import pytest

from gates.check import Bound, Check, Measure, Outcome
from gates.findings import Severity, make_finding
from host.errors import SourceError
from tasks.source import declared
from tasks.source.declared import settings_secrets, told
from tests.tasks.archives import packed
from tests.tasks.scans.commits import Files

SECRET = "Zk3vQ9xLmW8TbY2pQr7sNd"


def check(words: str, file: str = "shop/app.py") -> Check:
    finding = make_finding("tool", "rule", Severity.LOW, words, file, key=["a"])
    measure = Measure(name="m", value=None, bound=Bound.AT_LEAST, limit=1, reason=words)
    return Check(
        name="a",
        outcome=Outcome.PASSED,
        reason=words,
        examined=words,
        findings=(finding,),
        notes=(words,),
        measures=(measure,),
    )


@pytest.mark.parametrize(
    ("file", "content"),
    [
        ("settings.env", f"POSTGRES_PASSWORD={SECRET}"),
        (".env", f"API_KEY={SECRET}"),
        ("deploy/docker-compose.prod.yml", f"services:\n  db:\n    environment:\n      DB_PASSWORD: {SECRET}"),
        ("requirements.lock", f"--extra-index-url https://ci:{SECRET}@pypi.shop.internal/simple"),
        ("alembic.ini", f"sqlalchemy.url = postgresql+psycopg://shop:{SECRET}@db/shop"),
        ("shop/settings.py", f'SECRET_KEY = "{SECRET}"'),
        ("shop/app.py", f'app.secret_key = "{SECRET}"'),  # a finding is in it
        ("notes/any.txt", f"password: {SECRET}"),  # the message names it
    ],
    # The name of the test is in the environment, where what follows PASSWORD= is a secret of this host.
    ids=lambda text: text.partition(SECRET)[0].split()[-1].rstrip("=:"),
)
def test_a_secret_of_the_commit_stands_in_no_word_of_a_check(tmp_path: Path, file: str, content: str) -> None:
    words = f"notes/any.txt: cannot be read: got {SECRET}, or {SECRET[3:14]}..."
    shown = told(check(words), packed(tmp_path, {file: content}))
    assert SECRET[3:11] not in shown.model_dump_json()
    assert shown.reason == "notes/any.txt: cannot be read: got ***, or ***..."
    assert shown.findings[0].fingerprint == check(words).findings[0].fingerprint


def test_what_no_file_declares_stays(tmp_path: Path) -> None:
    tree = packed(tmp_path, {"settings.env": "DB_PASSWORD=postgres\nTOKEN=${TOKEN}\n", "a.bin": b"\xff\0PASSWORD="})
    words = f"the database postgres refused {SECRET}"
    assert told(check(words), tree) == check(words)


def test_large_files_are_not_read(tmp_path: Path) -> None:
    line = f"PASSWORD={SECRET}\n".encode()
    for size, shown in ((2_000_000, "***"), (2_000_001, SECRET)):
        tree = packed(tmp_path, {"large.env": line + b"#" * (size - len(line))})
        assert told(check(SECRET), tree).reason == shown


def test_a_link_of_settings_is_no_file_to_read(tmp_path: Path) -> None:
    tree = packed(tmp_path, {})
    with tarfile.open(tree, "a") as tar:
        link = tarfile.TarInfo("link.env")
        link.type, link.linkname = tarfile.SYMTYPE, "/etc/passwd"
        tar.addfile(link)
    assert told(check(SECRET), tree) == check(SECRET)


def test_an_archive_that_cannot_be_read_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "source.tar").write_bytes(b"no archive")
    with pytest.raises(SourceError, match="the commit's archive cannot be read"):
        told(check(SECRET), tmp_path / "source.tar")


@pytest.mark.parametrize("name", ["storefront/app.py", "src/Storefront/a.py", "storefront.py"])
def test_the_apps_own_name_is_no_secret(tmp_path: Path, name: str) -> None:
    files: Files = {"compose.yaml": "x:\n  POSTGRES_PASSWORD: storefront\n  API_TOKEN: storehouse\n", name: ""}
    said = told(check("storefront/app.py: not storehouse"), packed(tmp_path, files)).reason
    assert said == "storefront/app.py: not ***"
    assert settings_secrets(packed(tmp_path, files)) == ["storehouse"]


def test_too_many_files_of_settings_are_noted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(declared, "MOST_BYTES", 100)
    tree = packed(tmp_path, {f"{number}.env": "#" * 60 for number in range(5)} | {"shop/app.py": f"TOKEN = '{SECRET}'"})
    shown = told(check(SECRET), tree)
    assert shown.reason == "***"  # what the check speaks of comes first
    assert shown.notes[-1] == "4 files of settings are too many to mask what they declare"


def test_a_password_in_an_address_is_masked_wherever_it_comes_from(tmp_path: Path) -> None:
    tree = packed(tmp_path, {})
    shown = told(check(f"fatal: unable to access https://ci:{SECRET}@git.shop.internal/a: refused"), tree)
    assert shown.reason == "fatal: unable to access https://***@git.shop.internal/a: refused"
    shown = told(check(f"fatal: unable to access https://{SECRET}@git.shop.internal/a: refused"), tree)
    assert shown.reason == "fatal: unable to access https://***@git.shop.internal/a: refused"
