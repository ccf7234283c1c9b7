from datetime import date
from pathlib import Path

import pytest

from gates.baseline import FILE, Baseline, DueDays, Entry
from gates.findings import Severity
from gates.release.approval import Approver
from settings.baseline import parse_baseline, read_baseline, write_baseline, written_baseline
from tests.settings.signing import Repository, ssh_key

MADE = date(2026, 3, 1)
ENTRY = Entry(
    check="mypy",
    fingerprint="b" * 24,
    severity=Severity.MEDIUM,
    first_seen=MADE,
    due=date(2026, 5, 30),
    count=3,
    rule='no-"any"',
    where="shop/main.py",
)
BASELINE = Baseline("Robin", MADE, "a" * 40, DueDays(), (ENTRY,))
TEXT = write_baseline(BASELINE)

Robin = tuple[Path, Approver]


@pytest.fixture
def repository(tmp_path: Path) -> Repository:
    made = Repository.create(tmp_path / "checkout")
    made.commit({"README.md": "hello"})
    return made


@pytest.fixture
def robin(tmp_path: Path) -> Robin:
    key, public = ssh_key(tmp_path / "keys", "robin")
    return key, Approver("Robin", ("robin@example.com",), ("production",), (public,))


def test_what_is_written_is_read() -> None:
    assert parse_baseline(TEXT.encode()) == BASELINE


@pytest.mark.parametrize(
    ("old", "new", "why"),
    [
        pytest.param("due = 2026-05-30", "due = 2026-05-31", "expected 2026-05-30 at the latest", id="too late"),
        pytest.param("made = 2026", "made = 9999", "made: 9999", id="made in the future"),
        pytest.param("first_seen = 2026", "first_seen = 9998", "is in the future", id="seen in the future"),
        pytest.param('"mypy"', '"secrets"', "never goes into a baseline", id="a secret"),
        pytest.param("count = 3", "count = 3\nwaived = true", "waived", id="an unknown key"),
        pytest.param("medium = 90", "medium = 400", "due_days: medium", id="too many days"),
        pytest.param("[due_days]", "[due_days", "not valid TOML", id="no TOML"),
        pytest.param("[[finding]]", TEXT[TEXT.index("[[finding]]") :] + "\n[[finding]]", "twice", id="twice"),
    ],
)
def test_a_file_that_is_wrong_counts_for_nothing(old: str, new: str, why: str) -> None:
    read = parse_baseline(TEXT.replace(old, new, 1).encode())
    assert why in read.trouble and not read.of("mypy")


def test_no_file_is_no_baseline(tmp_path: Path) -> None:
    assert read_baseline((), tmp_path) == Baseline() == parse_baseline(b"# only words")
    (tmp_path / FILE).mkdir(parents=True)
    assert "cannot be read" in written_baseline(tmp_path).trouble


def test_the_approvers_own_signed_commit_proves_it(repository: Repository, robin: Robin) -> None:
    repository.commit({FILE: TEXT}, robin[0])
    repository.commit({"other": "unsigned and about something else"})
    read = read_baseline([robin[1]], repository.path)
    assert read == BASELINE and read.of("mypy") == (ENTRY,)


@pytest.mark.parametrize(
    ("steps", "why"),
    [
        pytest.param(["unsigned"], "carries no signature by Robin", id="unsigned"),
        pytest.param(["signed", "changed"], "is not committed", id="changed and not committed"),
        pytest.param(["signed", "changed", "unsigned"], "carries no signature by Robin", id="changed and not signed"),
        pytest.param(["changed"], "is not committed", id="never committed"),
    ],
)
def test_what_is_not_the_approvers_word_is_refused(
    repository: Repository, robin: Robin, steps: list[str], why: str
) -> None:
    text = TEXT
    for step in steps:
        if step == "changed":
            text = TEXT.replace("count = 3", "count = 4")
            (repository.path / FILE).parent.mkdir(exist_ok=True)
            (repository.path / FILE).write_text(text)
        else:
            repository.commit({FILE: text}, robin[0] if step == "signed" else None)
    assert why in read_baseline([robin[1]], repository.path).trouble


def test_who_is_no_approver_proves_nothing(repository: Repository, robin: Robin) -> None:
    repository.commit({FILE: TEXT}, robin[0])
    assert "Robin is not named" in read_baseline([Approver("Sasha", (), ())], repository.path).trouble
    assert "has no ssh_keys" in read_baseline([Approver("Robin", (), ())], repository.path).trouble
