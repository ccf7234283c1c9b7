"""Which commit put something into a file; who signed it stands in test_waivers.py."""

from functools import partial
from pathlib import Path

import pytest

import host.git
from host.errors import SourceError
from settings import signed_commits
from settings.signed_commits import History
from tests.settings.signing import Repository


@pytest.fixture
def repository(tmp_path: Path) -> Repository:
    made = Repository.create(tmp_path / "checkout")
    for text in ("a", "a b", "a b c"):
        made.commit({"file": text})
    return made


def contains(word: bytes, content: bytes) -> bool:
    return word in content


def test_the_commit_since_which_it_holds_is_found(repository: Repository) -> None:
    history = History.read(repository.path, "file")
    commits = list(history.parents)
    assert history.head == commits[0] and not history.shallow
    for word, commit in zip((b"c", b"b", b"a"), commits, strict=True):
        assert history.introduced(partial(contains, word)) == commit


def test_the_file_is_read_as_it_was(repository: Repository) -> None:
    history = History.read(repository.path, "file")
    assert [history.content(commit) for commit in history.parents] == [b"a b c", b"a b", b"a"]
    assert History.read(repository.path, "absent").content(history.head) is None
    assert history.content("f" * 40) is None


def test_what_is_older_than_the_commits_that_are_read_is_refused(
    repository: Repository, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(signed_commits, "MOST_COMMITS", 2)
    history = History.read(repository.path, "file")
    assert history.introduced(partial(contains, b"c")) == history.head
    for word in (b"b", b"a"):  # the oldest commit that was read has it, and perhaps has it from its parent
        with pytest.raises(SourceError) as refused:
            history.introduced(partial(contains, word))
        assert str(refused.value) == "it is older than the newest 2 commits"


def test_only_the_top_of_a_checkout_is_read(repository: Repository) -> None:
    (repository.path / "folder").mkdir()
    with pytest.raises(SourceError) as refused:
        History.read(repository.path / "folder", "file")
    assert str(refused.value) == f"{repository.path / 'folder'} is not the top of a git checkout"


def test_a_folder_that_is_not_there_is_told(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match=f"git rev-parse in {tmp_path / 'absent'}: "):
        History.read(tmp_path / "absent", "file")


def test_a_program_that_does_not_end_is_told(repository: Repository, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(host.git, "TIMEOUT_S", 0)
    with pytest.raises(SourceError) as refused:
        History.read(repository.path, "file")
    assert str(refused.value) == "git rev-parse did not end within 0 s"
