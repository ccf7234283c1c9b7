"""What a tool says of a commit is told without the secrets that the commit declares."""

from pathlib import Path

import pytest

from gates.check import Bound, Check, Measure, Outcome
from gates.findings import Severity, make_finding
from tasks.source import declared
from tasks.source.declared import in_our_words, told
from tests.tasks.scans.commits import Files

SECRET = "Zk3vQ9xLmW8TbY2pQr7sNd"


def laid(tree: Path, files: Files) -> Path:
    for name, content in files.items():
        file = tree / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(content if isinstance(content, bytes) else content.encode())
    return tree


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
)
def test_a_secret_of_the_commit_stands_in_no_word_of_a_check(tmp_path: Path, file: str, content: str) -> None:
    words = f"notes/any.txt: cannot be read: got {SECRET}, or {SECRET[3:14]}..."
    shown = told(check(words), laid(tmp_path, {file: content}))
    assert SECRET[3:11] not in shown.model_dump_json()
    assert shown.reason == "notes/any.txt: cannot be read: got ***, or ***..."
    assert shown.findings[0].fingerprint == check(words).findings[0].fingerprint


def test_what_no_file_declares_stays(tmp_path: Path) -> None:
    laid(tmp_path, {"settings.env": "DB_PASSWORD=postgres\nTOKEN=${TOKEN}\n", "a.bin": b"\xff\0PASSWORD="})
    words = f"the database postgres refused {SECRET}"
    assert told(check(words), tmp_path) == check(words)


def test_links_and_large_files_are_not_read(tmp_path: Path) -> None:
    (tmp_path / "out").write_text(f"PASSWORD={SECRET}")
    tree = laid(tmp_path / "tree", {"large.env": b"#" * 2_000_001})
    (tree / "link.env").symlink_to(tmp_path / "out")
    (tree / "loop").symlink_to(tree)
    assert told(check(SECRET), tree).reason == SECRET


def test_too_many_files_of_settings_are_noted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(declared, "MOST_BYTES", 100)
    laid(tmp_path, {f"{number}.env": "#" * 60 for number in range(5)} | {"shop/app.py": f"TOKEN = '{SECRET}'"})
    shown = told(check(SECRET), tmp_path)
    assert shown.reason == "***"  # what the check speaks of comes first
    assert shown.notes[-1] == "4 files of settings are too many to mask what they declare"


def test_a_password_in_an_address_is_masked_wherever_it_comes_from(tmp_path: Path) -> None:
    shown = told(check(f"fatal: unable to access https://ci:{SECRET}@git.shop.internal/a: refused"), tmp_path)
    assert shown.reason == "fatal: unable to access https://***@git.shop.internal/a: refused"
    shown = told(check(f"fatal: unable to access https://{SECRET}@git.shop.internal/a: refused"), tmp_path)
    assert shown.reason == "fatal: unable to access https://***@git.shop.internal/a: refused"


def test_a_scan_is_decorated_once_for_all_its_words(tmp_path: Path) -> None:
    class Subject:
        tree = laid(tmp_path, {"a.env": f"TOKEN={SECRET}"})

    @in_our_words
    def scan(subject: Subject, words: str = "") -> Check:
        return check(f"{words} {SECRET}")

    assert scan(Subject(), words="it says").reason == "it says ***"
