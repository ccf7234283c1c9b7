import hashlib
import json
import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from evidence import store as stores
from evidence.store import Store
from host.errors import ArtifactError
from host.files import sha256_file, write_atomically

CHECKOUT = Path(stores.__file__).parent.parent
WORDS = b"wheel" * 1000


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "store")


@pytest.fixture
def wheel(tmp_path: Path) -> Path:
    file = tmp_path / "a.whl"
    file.write_bytes(WORDS)
    return file


def test_a_file_is_kept_under_its_hash(store: Store, wheel: Path) -> None:
    digest = store.put_file(wheel)
    assert digest == hashlib.sha256(WORDS).hexdigest() == sha256_file(wheel)
    assert store.read_blob(digest) == WORDS
    assert store.put_file(wheel) == digest


def test_an_empty_and_a_big_file_are_kept(store: Store, tmp_path: Path) -> None:
    for size in (0, 1 << 20, (1 << 20) + 1):
        file = tmp_path / str(size)
        file.write_bytes(os.urandom(size))
        assert store.read_blob(store.put_file(file)) == file.read_bytes()


def test_a_missing_blob_is_named(store: Store) -> None:
    with pytest.raises(ArtifactError, match=f"{'0' * 64}: missing; build the commit again"):
        store.verify_blob("0" * 64)


@pytest.mark.parametrize("damaged", [WORDS[:-1], b"", WORDS + b"x", b"W" + WORDS[1:]])
def test_a_changed_or_truncated_blob_is_refused_and_building_again_mends_it(
    store: Store, wheel: Path, damaged: bytes
) -> None:
    digest = store.put_file(wheel)
    (store.root / "blobs" / "sha256" / digest).write_bytes(damaged)
    with pytest.raises(ArtifactError, match="changed since it was stored"):
        store.verify_blob(digest)
    with pytest.raises(ArtifactError, match="changed since it was stored"), store.open_blob(digest):
        pass
    with pytest.raises(ArtifactError, match="changed since it was stored"):
        store.copy_blob(digest, wheel.with_name("copy"))
    assert not wheel.with_name("copy").exists()
    store.put_file(wheel)
    assert store.read_blob(digest) == store.copy_blob(digest, wheel.with_name("copy")).read_bytes() == WORDS
    with store.open_blob(digest) as copy:
        assert copy.read() == WORDS


@pytest.mark.parametrize("digest", ["../../../etc/passwd", "..", "", "/etc/passwd"])
def test_what_is_no_digest_names_no_blob_and_no_artifact(store: Store, wheel: Path, digest: str) -> None:
    store.put_file(wheel)
    with pytest.raises(ArtifactError):
        store.verify_blob(digest)
    with pytest.raises(ArtifactError):
        store.manifest(digest)


def test_many_threads_may_store_the_same_file(store: Store, tmp_path: Path) -> None:
    file = tmp_path / "big"
    file.write_bytes(os.urandom(3_000_000))
    start = threading.Barrier(8)
    found: list[str] = []

    def put() -> None:
        start.wait()
        found.append(store.put_file(file))

    threads = [threading.Thread(target=put) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == [sha256_file(file)] * 8
    assert store.read_blob(found[0]) == file.read_bytes()
    assert [one.name for one in (store.root / "blobs" / "sha256").iterdir()] == [found[0]]


def test_a_file_that_cannot_be_read_leaves_nothing(store: Store, tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        store.put_file(tmp_path / "absent")
    assert not list(tmp_path.rglob("*.new-*"))


def test_a_manifest_is_the_artifact(store: Store) -> None:
    digest = store.put_manifest(b'{"a": 1}')
    assert digest == hashlib.sha256(b'{"a": 1}').hexdigest()
    assert store.manifest(digest) == b'{"a": 1}'
    assert store.artifacts() == [digest]


def test_a_changed_or_missing_manifest_is_refused(store: Store) -> None:
    digest = store.put_manifest(b'{"a": 1}')
    (store.root / "artifacts" / f"{digest}.json").write_bytes(b'{"a": 2}')
    with pytest.raises(ArtifactError, match="the manifest was changed"):
        store.manifest(digest)
    with pytest.raises(ArtifactError, match="no artifact 000000000000"):
        store.manifest("0" * 64)


def test_artifacts_come_oldest_first_and_half_written_ones_not_at_all(store: Store) -> None:
    assert store.artifacts() == []
    digests = [store.put_manifest(str(number).encode()) for number in range(5)]
    folder = store.root / "artifacts"
    for age, digest in enumerate(reversed(digests)):
        os.utime(folder / f"{digest}.json", (1_000_000 + age, 1_000_000 + age))
    (folder / ".new-abc").write_bytes(b"half")
    assert store.artifacts() == digests[::-1]


def test_statements_come_oldest_first_and_by_kind(store: Store) -> None:
    digest = "a" * 64
    for number in range(4):
        file = store.put_statement(digest, "checks", {"n": number})
        os.utime(file, ns=(number, number))
    store.put_statement(digest, "promotion", {"n": 99})
    assert [envelope["n"] for envelope in store.statements(digest, "checks")] == [0, 1, 2, 3]
    assert list(store.statements("b" * 64, "checks")) == []


def test_a_truncated_statement_is_an_error_and_not_an_absence(store: Store) -> None:
    file = store.put_statement("a" * 64, "checks", {"n": 1})
    file.write_bytes(file.read_bytes()[:-1])
    with pytest.raises(ArtifactError, match="not JSON"):
        list(store.statements("a" * 64, "checks"))


def test_writing_fails_whole_or_not_at_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "deep" / "file"
    write_atomically(file, b"old")

    def full(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space"):
        write_atomically(file, b"new")
    assert file.read_bytes() == b"old"
    assert [one.name for one in file.parent.iterdir()] == ["file"]


WRITER = """
import sys
from pathlib import Path
from evidence.store import write_atomically
sys.stdout.write("ready\\n"); sys.stdout.flush()
turn = 0
while True:
    turn += 1
    write_atomically(Path(sys.argv[1]), (sys.argv[2] * 200_000 + f":{turn}").encode())
"""


def test_readers_and_kills_see_the_old_or_the_new_and_nothing_between(tmp_path: Path) -> None:
    file = tmp_path / "file"
    writers = [
        subprocess.Popen([sys.executable, "-c", WRITER, str(file), mark], cwd=CHECKOUT, stdout=subprocess.PIPE)
        for mark in "ab"
    ]
    seen: set[bytes] = set()
    try:
        for writer in writers:
            assert writer.stdout and writer.stdout.readline()
        while len(seen) < 40:
            if file.exists():
                seen.add(file.read_bytes())
    finally:
        for writer in writers:
            writer.send_signal(signal.SIGKILL)
            writer.communicate()
    seen.add(file.read_bytes())
    for content in seen:
        body, _, turn = content.partition(b":")
        assert body in (b"a" * 200_000, b"b" * 200_000) and turn.isdigit()


def test_what_is_stored_as_json_reads_back(store: Store) -> None:
    file = store.put_statement("a" * 64, "checks", {"é": "\u2028"})
    assert json.loads(file.read_bytes()) == {"é": "\u2028"}
