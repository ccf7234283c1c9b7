"""Past releases, read from real journals and real repositories."""

import subprocess
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from deployments.environment import Environment
from deployments.journal.journal import GENESIS
from deployments.past_releases import ci_runs, commit_graph, read_past, window
from gates.delivery import deployments_of
from host.errors import JournalError
from host.home import Home
from settings.targets import Target
from tests.many_releases import operations_of, releases, write_journal
from tests.prefect_server import a_home, prefect_server


def test_operations_approvals_and_head_of_a_journal(tmp_path: Path) -> None:
    place = Environment.open(Target("production"), "assistant", a_home(tmp_path))
    count = write_journal(place.journal.file, releases(60))
    past = read_past(place)
    assert past.head == (count, place.journal.entries()[-1].hash)
    assert len(past.waited) == 60 and all(60 < seconds < 2400 for _, seconds in past.waited)
    ledger = place.ledger()
    assert [(one.id, one.outcome) for one in past.operations] == [(one.id, one.outcome) for one in ledger.operations]
    assert all(one.took_traffic and one.began < one.took_traffic < one.ended for one in past.operations if one.ended)
    failed = {one.release.version for one in deployments_of(past.operations) if one.failed}
    condemned = {ledger.versions[digest].version for digest in ledger.condemned}
    assert failed == condemned and failed


def test_an_interrupted_operation_has_no_end(tmp_path: Path) -> None:
    rows = list(releases(3))
    last = max(index for index, row in enumerate(rows) if row[1] == "end")
    write_journal(tmp_path / "journal.jsonl", iter(rows[:last]))
    operations = operations_of(tmp_path)
    assert operations[-1].ended is None and operations[-1].outcome == "" and operations[-1].seconds is None


def test_an_absent_journal_is_no_data(tmp_path: Path) -> None:
    past = read_past(Environment.open(Target("staging"), "assistant", a_home(tmp_path)))
    assert (past.operations, past.waited, past.head) == ((), (), (0, GENESIS))


def test_a_changed_journal_is_refused(tmp_path: Path) -> None:
    place = Environment.open(Target("production"), "assistant", a_home(tmp_path))
    write_journal(place.journal.file, releases(5))
    content = place.journal.file.read_bytes()
    place.journal.file.write_bytes(content.replace(b"rolled back", b"promoted!!!", 1).replace(b"v3", b"v4", 1))
    with pytest.raises(JournalError, match="damaged"):
        read_past(place)


@pytest.mark.parametrize(
    "change", [(b'"kind":"slot.started"', b'"kind":"slot.stopped"'), (b'"port":20001', b'"port":20009')]
)
def test_a_change_in_what_a_report_does_not_look_at_is_found_too(tmp_path: Path, change: tuple[bytes, bytes]) -> None:
    place = Environment.open(Target("production"), "assistant", a_home(tmp_path))
    write_journal(place.journal.file, releases(5))
    content = place.journal.file.read_bytes()
    assert change[0] in content
    place.journal.file.write_bytes(content.replace(*change, 1))
    with pytest.raises(JournalError, match="damaged"):
        read_past(place)


def test_a_line_that_is_missing_is_found(tmp_path: Path) -> None:
    place = Environment.open(Target("production"), "assistant", a_home(tmp_path))
    write_journal(place.journal.file, releases(5))
    lines = place.journal.file.read_bytes().splitlines(keepends=True)
    place.journal.file.write_bytes(b"".join(lines[:20] + lines[21:]))
    with pytest.raises(JournalError, match="line 21 is damaged"):
        read_past(place)


def git(repository: Path, *argv: str, **env: str) -> str:
    names = {"GIT_AUTHOR_NAME": "A", "GIT_AUTHOR_EMAIL": "a@b", "GIT_COMMITTER_NAME": "A", "GIT_COMMITTER_EMAIL": "a@b"}
    command = ["git", "-C", str(repository), *argv]
    return subprocess.run(command, env={**names, **env}, check=True, capture_output=True, text=True).stdout.strip()


def test_commit_dates_and_parents_come_from_the_mirrors(tmp_path: Path) -> None:
    home = Home(tmp_path)
    repository = home.cache / "repositories" / "abc.git"
    repository.mkdir(parents=True)
    git(repository, "init", "-q", "--bare")
    tree = git(repository, "mktree", "--missing")
    first = git(repository, "commit-tree", tree, "-m", "one", GIT_COMMITTER_DATE="@1700000000 +0000")
    second = git(repository, "commit-tree", tree, "-p", first, "-m", "two", GIT_COMMITTER_DATE="@1700000100 +0000")
    git(repository, "update-ref", "refs/heads/main", second)
    (home.cache / "repositories" / "broken.git").mkdir()
    assert commit_graph(home) == {first: (1700000000, ()), second: (1700000100, (first,))}


def test_no_mirror_is_no_data(tmp_path: Path) -> None:
    assert commit_graph(Home(tmp_path)) == {}


def test_ci_runs_come_from_prefects_history_in_pages(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    since, until = window(90, datetime(2026, 3, 1, tzinfo=UTC))
    assert until - since == timedelta(days=90)
    with prefect_server(a_home(tmp_path), monkeypatch) as (server, api):
        for number in range(250):
            begin = since + timedelta(hours=number)
            end = begin + timedelta(minutes=20)
            state = "FAILED" if number % 10 == 0 else "COMPLETED"
            server.add_run("a", state, start_time=begin.isoformat(), end_time=end.isoformat())
        runs = ci_runs(api, since)
        assert runs is not None and len(runs) == 250
        assert {one.seconds for one in runs} == {1200.0} and sum(one.good for one in runs) == 225
        server.away = True
        assert ci_runs(api, since) is None


def test_what_was_read_before_is_not_read_again_and_comes_to_the_same(tmp_path: Path) -> None:
    place = Environment.open(Target("production"), "assistant", a_home(tmp_path))
    rows = list(releases(40))
    half = next(index for index, row in enumerate(rows[400:], 401) if row[1] == "end")
    write_journal(place.journal.file, iter(rows[:half]))
    read_past(place)
    kept = place.home.root / "reports" / "production.past.json"
    before = kept.read_bytes()
    write_journal(place.journal.file, iter(rows))
    second = read_past(place)
    assert kept.read_bytes() != before
    third = read_past(place)
    kept.unlink()
    whole = read_past(place)
    assert second == third == whole


@pytest.mark.parametrize("content", [b"", b"{}", b"[]", b"null", b'{"format": 1, "length": "x"}'])
def test_a_memory_that_cannot_be_read_is_no_loss(tmp_path: Path, content: bytes) -> None:
    place = Environment.open(Target("production"), "assistant", a_home(tmp_path))
    write_journal(place.journal.file, releases(5))
    past = read_past(place)
    (place.home.root / "reports" / "production.past.json").write_bytes(content)
    assert read_past(place) == past


def test_a_change_in_what_was_read_before_is_found(tmp_path: Path) -> None:
    place = Environment.open(Target("production"), "assistant", a_home(tmp_path))
    write_journal(place.journal.file, releases(5))
    read_past(place)
    content = place.journal.file.read_bytes()
    place.journal.file.write_bytes(content.replace(b'"v1"', b'"v9"', 1))
    with pytest.raises(JournalError, match="line"):
        read_past(place)


def test_nothing_is_remembered_in_the_middle_of_a_release(tmp_path: Path) -> None:
    place = Environment.open(Target("production"), "assistant", a_home(tmp_path))
    rows = list(releases(4))
    last = max(index for index, row in enumerate(rows) if row[1] == "end")
    write_journal(place.journal.file, iter(rows[:last]))
    assert read_past(place).operations[-1].ended is None
    assert not (place.home.root / "reports" / "production.past.json").exists()
    write_journal(place.journal.file, iter(rows))
    assert read_past(place).operations[-1].ended
