import errno
import hashlib
import json
import os
import shutil
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta, tzinfo
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from deployments.journal import journal as journals
from deployments.journal.journal import GENESIS, RESERVE_BYTES, Journal
from host.errors import JournalError

CHECKOUT = Path(journals.__file__).parents[2]


@pytest.fixture
def journal(tmp_path: Path) -> Journal:
    return Journal(tmp_path / "place")


def filled(journal: Journal, count: int = 3) -> Journal:
    for number in range(count):
        journal.write("step", {"name": f"größe {number}", "seconds": 0.5}, epoch=7)
    return journal


def test_nothing_written_is_no_entry(journal: Journal) -> None:
    assert journal.entries() == []
    assert not journal.file.parent.exists()  # reading changes nothing


def test_entries_are_chained_and_read_back(journal: Journal) -> None:
    filled(journal)
    entries = journal.entries()
    assert [entry.seq for entry in entries] == [1, 2, 3]
    assert [entry.prev for entry in entries] == [GENESIS, entries[0].hash, entries[1].hash]
    assert entries[2].data == {"name": "größe 2", "seconds": 0.5} and entries[2].epoch == 7
    assert entries[0].time.utcoffset() is not None
    assert Journal(journal.file.parent).write("end", {}) == journal.entries()[-1]
    assert journal.file.stat().st_mode & 0o777 == 0o600


def test_a_last_line_torn_at_any_byte_never_happened_and_is_mended(journal: Journal) -> None:
    filled(journal)
    whole = journal.file.read_bytes()
    before = whole[: whole.rindex(b"\n", 0, -1) + 1]
    for length in range(len(before), len(whole)):
        journal.file.write_bytes(whole[:length])
        assert [entry.seq for entry in journal.entries()] == [1, 2], length
    for length in range(len(before), len(whole), 17):
        journal.file.write_bytes(whole[:length])
        assert journal.write("end", {}).seq == 3
        assert [entry.kind for entry in journal.entries()] == ["step", "step", "end"]
        assert journal.file.read_bytes().startswith(before)


def test_a_first_line_torn_at_any_byte_is_an_empty_journal(journal: Journal) -> None:
    filled(journal, 1)
    whole = journal.file.read_bytes()
    for length in range(len(whole)):
        journal.file.write_bytes(whole[:length])
        assert journal.entries() == []
    assert journal.write("begin", {}).prev == GENESIS


@pytest.mark.parametrize("damage", [lambda byte: byte ^ 0x01, lambda byte: 0, lambda byte: 0xFF, lambda byte: 0x0A])
def test_any_other_damaged_byte_stops_everything(journal: Journal, damage: Callable[[int], int]) -> None:
    filled(journal)
    whole = journal.file.read_bytes()
    for position in range(len(whole) - 1):  # the last byte is the newline: without it the line is torn
        changed = bytearray(whole)
        changed[position] = damage(changed[position])
        if changed == whole:
            continue
        journal.file.write_bytes(changed)
        with pytest.raises(JournalError, match=r"line \d is damaged or was changed"):
            journal.entries()
        if position % 50 == 0:
            with pytest.raises(JournalError):
                journal.write("end", {})
            assert journal.file.read_bytes() == changed  # nothing is repaired that a person must see


@pytest.mark.parametrize("gone", [0, 1])
def test_a_removed_line_breaks_the_chain(journal: Journal, gone: int) -> None:
    lines = filled(journal).file.read_bytes().splitlines(keepends=True)
    del lines[gone]
    journal.file.write_bytes(b"".join(lines))
    with pytest.raises(JournalError, match=f"line {gone + 1} "):
        journal.entries()


def test_swapped_and_repeated_lines_break_the_chain(journal: Journal) -> None:
    one, two, three = filled(journal).file.read_bytes().splitlines(keepends=True)
    for order in ((one, three, two), (one, one, two), (one, two, two), (b"\n", one), (one, b"\n", two)):
        journal.file.write_bytes(b"".join(order))
        with pytest.raises(JournalError):
            journal.entries()


@pytest.mark.parametrize(
    "line", [b"[]", b"null", b"7", b'"text"', b"{}", b'{"v":1}', b'{"v":2}', b"[" * 100_000, b"\xff", b"nan"]
)
def test_what_is_no_entry_is_damage(journal: Journal, line: bytes) -> None:
    filled(journal)
    with open(journal.file, "ab") as file:
        file.write(line + b"\n")
    with pytest.raises(JournalError, match="line 4 "):
        journal.entries()


def test_a_journal_that_cannot_be_written_or_read_says_so(tmp_path: Path) -> None:
    (tmp_path / "place").write_text("a file where the directory belongs")
    journal = Journal(tmp_path / "place")
    with pytest.raises(JournalError, match="cannot write"):
        journal.write("end", {})
    with pytest.raises(JournalError, match="cannot read"):
        journal.entries()


def test_a_reserve_that_was_cut_short_is_made_whole(journal: Journal) -> None:
    filled(journal, 1)
    assert journal.reserve.stat().st_size == RESERVE_BYTES
    journal.reserve.write_bytes(b"")  # killed between making it and filling it
    filled(journal, 1)
    assert journal.reserve.stat().st_size == RESERVE_BYTES


APPENDER = """
import sys
from pathlib import Path
from deployments.journal.journal import Journal
journal = Journal(Path(sys.argv[1]))
sys.stdout.write("ready\\n"); sys.stdout.flush()
for number in range(int(sys.argv[2])):
    journal.write("step", {"from": sys.argv[3], "number": number, "padding": "x" * 300})
"""


def appender(journal: Journal, count: int, name: str) -> "subprocess.Popen[bytes]":
    argv = [sys.executable, "-c", APPENDER, str(journal.file.parent), str(count), name]
    return subprocess.Popen(argv, cwd=CHECKOUT, stdout=subprocess.PIPE)


def test_two_processes_append_without_losing_an_entry(journal: Journal) -> None:
    processes = [appender(journal, 60, name) for name in ("a", "b")]
    for process in processes:
        process.communicate()
        assert process.returncode == 0
    entries = journal.entries()
    assert [entry.seq for entry in entries] == list(range(1, 121))
    for name in ("a", "b"):
        assert [entry.data["number"] for entry in entries if entry.data["from"] == name] == list(range(60))


def test_threads_append_without_losing_an_entry(journal: Journal) -> None:
    threads = [threading.Thread(target=filled, args=(journal, 20)) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [entry.seq for entry in journal.entries()] == list(range(1, 81))


def test_killed_while_it_appends_it_stays_readable(journal: Journal) -> None:
    seen = 0
    for turn in range(6):
        process = appender(journal, 1_000_000, str(turn))
        assert process.stdout and process.stdout.readline()
        wanted = seen + 3 + 5 * turn
        while (seen := len(journal.entries())) < wanted:  # read while it is written: never an error
            pass
        process.send_signal(signal.SIGKILL)
        process.communicate()
        seen = journal.write("end", {"turn": turn}).seq
    entries = journal.entries()
    assert [entry.seq for entry in entries] == list(range(1, seen + 1))
    assert [entry.data["turn"] for entry in entries if entry.kind == "end"] == list(range(6))


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of 1 MB. Where mounting is not allowed, the tests with RLIMIT_FSIZE and without a disk remain."""
    disk = tmp_path / "disk"
    disk.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(disk)], capture_output=True, check=False
    )
    if mounted.returncode:
        pytest.skip(f"mounting a small disk is not allowed here: {mounted.stderr.decode().strip()}")
    try:
        yield disk
    finally:
        subprocess.run(["umount", str(disk)], check=True)


def test_on_a_full_disk_the_reserve_is_used_up_and_then_it_says_so(small_disk: Path) -> None:
    journal = filled(Journal(small_disk / "place"))
    hog = small_disk / "hog"
    with open(hog, "wb", buffering=0) as file, pytest.raises(OSError, match="No space"):
        while True:
            file.write(b"x" * 4096)
    written = 3
    with pytest.raises(JournalError, match="reserve is used up"):
        while True:
            assert journal.write("step", {"padding": "x" * 1000}).seq == written + 1
            written += 1
    assert written > 150  # of some 1.3 kB each: about all of the reserve
    assert not journal.reserve.exists()
    assert [entry.seq for entry in journal.entries()] == list(range(1, written + 1))
    with pytest.raises(JournalError, match="reserve is used up"):
        journal.write("step", {"padding": "x" * 5000})
    hog.unlink()
    assert journal.write("end", {}).seq == written + 1
    assert journal.reserve.stat().st_size == RESERVE_BYTES


def test_a_disk_full_from_the_beginning_says_so(small_disk: Path) -> None:
    with open(small_disk / "hog", "wb", buffering=0) as file, pytest.raises(OSError, match="No space"):
        while True:
            file.write(b"x" * 4096)
    journal = Journal(small_disk / "place")
    with pytest.raises(JournalError, match="the disk is full"):
        journal.write("begin", {"padding": "x" * 5000})
    assert journal.entries() == []


def test_when_the_disk_is_full_the_reserve_makes_room(journal: Journal, monkeypatch: pytest.MonkeyPatch) -> None:
    filled(journal)
    real = os.write

    def full(descriptor: int, data: bytes) -> int:
        if journal.reserve.exists():
            real(descriptor, data[:10])  # half a line, then nothing more
            raise OSError(errno.ENOSPC, "No space left on device")
        return real(descriptor, data)

    monkeypatch.setattr(os, "write", full)
    assert journal.write("end", {}).seq == 4
    assert not journal.reserve.exists()
    assert [entry.kind for entry in journal.entries()] == ["step", "step", "step", "end"]


LIMITED = """
import resource, sys
from pathlib import Path
from deployments.journal.journal import Journal
from host.errors import JournalError
resource.setrlimit(resource.RLIMIT_FSIZE, (300_000, 300_000))
journal = Journal(Path(sys.argv[1]))
written = 0
try:
    while True:
        journal.write("step", {"padding": "x" * 20_000})
        written += 1
except JournalError as error:
    assert "cannot write" in str(error), error
assert len(journal.entries()) == written > 5
"""


def test_a_file_that_may_not_grow_says_so_and_stays_readable(journal: Journal) -> None:
    subprocess.run([sys.executable, "-c", LIMITED, str(journal.file.parent)], cwd=CHECKOUT, check=True)
    assert journal.write("end", {}).kind == "end"


def test_half_a_line_written_before_an_error_is_taken_back(journal: Journal, monkeypatch: pytest.MonkeyPatch) -> None:
    filled(journal)
    whole = journal.file.read_bytes()

    def failing(descriptor: int) -> None:
        raise OSError(errno.EIO, "Input/output error")

    monkeypatch.setattr(os, "fsync", failing)
    with pytest.raises(JournalError, match="Input/output error"):
        journal.write("end", {})
    assert journal.file.read_bytes() == whole


GOLDEN = Path(__file__).parent / "data" / "journal.jsonl"
GOLDEN_HASHES = [
    "3c1c275ee9a70068bfbbaf6a2d216e1e764a44764e78f1db8d1b2a897ba49a15",
    "4590b1ecb6fc7df147721a19cc56f48f02c3a0a74d19df2f68babfe195fd171e",
    "7f050fa01640d93c91ac94abeaa824af91e1f267a0bd9802df790472b61d0379",
]
GOLDEN_DATA: list[tuple[str, dict[str, object], int]] = [
    ("question", {"id": "q1", "parameters": {"version": None, "force": False}, "started": 1795904846.32}, 0),
    ("begin", {"id": "op1", "version": "v1", "before": {}, "steps": [1, 2.5]}, 1),
    ("end", {"id": "op1", "reason": 'größe "é" \u2028 \\ / <&>', "outcome": "promoted"}, 2**40),
]


class Clock(datetime):
    """A clock that begins at a fixed time and goes on by 1.5 s each time it is asked."""

    asked = 0

    @classmethod
    def now(cls, tz: tzinfo | None = None) -> "Clock":
        cls.asked += 1
        return cls(2026, 3, 1, 12, 0, 0, 1000, tzinfo=tz) + timedelta(seconds=1.5 * cls.asked)


def test_the_same_entries_make_the_same_bytes_as_ever(journal: Journal, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every installation has such a file: another byte here, and no version reads what another one wrote."""
    monkeypatch.setattr(Clock, "asked", 0)
    monkeypatch.setattr(journals, "datetime", Clock)
    for kind, data, epoch in GOLDEN_DATA:
        journal.write(kind, data, epoch)
    assert journal.file.read_bytes() == GOLDEN.read_bytes()
    assert [entry.hash for entry in journal.entries()] == GOLDEN_HASHES


def test_what_was_written_is_read_as_ever(tmp_path: Path) -> None:
    shutil.copyfile(GOLDEN, tmp_path / "journal.jsonl")
    entries = Journal(tmp_path).entries()
    assert [entry.hash for entry in entries] == GOLDEN_HASHES
    assert [entry.prev for entry in entries] == ["0" * 64, *GOLDEN_HASHES[:-1]]
    assert [(entry.kind, entry.data, entry.epoch) for entry in entries] == GOLDEN_DATA
    assert [entry.seq for entry in entries] == [1, 2, 3]
    assert entries[0].at == "2026-03-01T12:00:01.501+00:00"
    raw = GOLDEN.read_bytes()
    assert [entry for entry, _ in Journal(tmp_path).walk(raw, kinds=[b"begin"])] == entries[1:]


def sealed(**fields: Any) -> bytes:
    """Return a line whose hash is right, whatever stands in it."""
    body = {"v": 1, "seq": 1, "at": "2026-03-01T12:00:00.000+00:00", "epoch": 1, "kind": "step", "data": {}}
    body |= {"prev": GENESIS, **fields}
    body["hash"] = hashlib.sha256(canonical(body)).hexdigest()
    return canonical(body) + b"\n"


def canonical(body: dict[str, Any]) -> bytes:
    return json.dumps(body, sort_keys=True, separators=(",", ":")).encode()


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=4), inner, max_size=2),
    max_leaves=4,
)


@pytest.mark.fuzz
@given(st.dictionaries(st.sampled_from(["v", "seq", "at", "epoch", "kind", "data", "prev"]), JSON, max_size=3))
def test_whatever_a_well_hashed_line_holds_it_is_an_entry_or_damage(fields: dict[str, Any]) -> None:
    journal = Journal(Path("nowhere"))
    for line in (sealed(**fields), spaced(sealed(**fields))):
        for kinds in (None, [b"begin"]):
            try:
                ((entry, _),) = journal.walk(line, kinds=kinds)
            except JournalError as error:
                assert "damaged or was changed" in str(error)
            else:
                assert type(entry.seq) is int and entry.time.tzinfo is not None and type(entry.data) is dict


def test_a_time_without_a_zone_is_damage(journal: Journal) -> None:
    with pytest.raises(JournalError, match="line 1 is damaged"):
        journal.parse(sealed(at="2026-03-01T12:00:00"))


@pytest.mark.fuzz
@given(st.binary(max_size=300))
def test_any_bytes_are_entries_or_damage(content: bytes) -> None:
    try:
        assert Journal(Path("nowhere")).parse(content)[0] == []
    except JournalError as error:
        assert "damaged or was changed" in str(error)


def spaced(line: bytes) -> bytes:
    """Write the same entry in another form, which only the slow way reads."""
    return json.dumps(json.loads(line)).encode() + b"\n"


def test_an_entry_in_another_form_is_read_the_slow_way(journal: Journal) -> None:
    quick = sealed(data={"a": "é"})
    entries, length = journal.parse(spaced(quick))
    assert entries == journal.parse(quick)[0] and entries[0].data == {"a": "é"}
    assert length == len(spaced(quick))
    changed = spaced(quick).replace(b'"step"', b'"stop"')
    with pytest.raises(JournalError, match="line 1 is damaged or was changed"):
        journal.parse(changed)


@pytest.mark.parametrize("form", [bytes, spaced])
@pytest.mark.parametrize("version", [0, 2, "1", None])
def test_another_format_is_never_read_as_ours(
    journal: Journal, form: Callable[[bytes], bytes], version: object
) -> None:
    with pytest.raises(JournalError, match="line 1 is damaged or was changed"):
        journal.parse(form(sealed(v=version)))


WRONG_FIELDS = [
    {"seq": "1"},
    {"seq": None},
    {"at": 5},
    {"at": "yesterday"},
    {"epoch": "1"},
    {"epoch": None},
    {"epoch": 1.5},
    {"kind": ["step"]},
    {"kind": None},
    {"data": []},
    {"data": "text"},
    {"data": None},
    {"prev": 0},
    {"prev": None},
    {"prev": [GENESIS]},
]


@pytest.mark.parametrize("form", [bytes, spaced])
@pytest.mark.parametrize("fields", WRONG_FIELDS, ids=str)
def test_a_field_of_a_wrong_type_is_damage_however_well_it_is_hashed(
    journal: Journal, form: Callable[[bytes], bytes], fields: dict[str, object]
) -> None:
    with pytest.raises(JournalError, match="line 1 is damaged or was changed"):
        journal.parse(form(sealed(**fields)))


@pytest.mark.parametrize("more", ["kind2", "i", "pre"])
def test_a_line_whose_fields_stand_elsewhere_is_not_skimmed(journal: Journal, more: str) -> None:
    """A field more between those that are skimmed: what stands at their places is other text."""
    line = sealed(**{more: "x"})
    end = sealed(prev=json.loads(line)["hash"], seq=2, kind="end")
    entries = [entry for entry, _ in journal.walk(line + end, kinds=[b"other"])]
    assert [entry.kind for entry in entries] == ["step", "end"]


@pytest.mark.parametrize(("name", "other"), [("kind", "kinx"), ("prev", "prex")])
def test_a_line_that_lacks_what_is_skimmed_is_damage(journal: Journal, name: str, other: str) -> None:
    """A field of another name stands in its place, and is as long."""
    body = json.loads(sealed())
    del body["hash"]
    body[other] = body.pop(name)
    line = canonical({**body, "hash": hashlib.sha256(canonical(body)).hexdigest()})
    end = sealed(prev=json.loads(line)["hash"], seq=2, kind="end")
    with pytest.raises(JournalError, match="line 1 is damaged or was changed"):
        list(journal.walk(line + b"\n" + end, kinds=[b"other"]))


def test_another_format_is_not_passed_over_either(journal: Journal) -> None:
    line = sealed(v=2)
    end = sealed(prev=json.loads(line)["hash"], seq=2, kind="end")
    with pytest.raises(JournalError, match="line 1 is damaged or was changed"):
        list(journal.walk(line + end, kinds=[b"other"]))


def test_kinds_that_are_not_wanted_are_verified_and_passed_over_but_for_the_newest(journal: Journal) -> None:
    raw = filled(journal).file.read_bytes()
    assert [entry.seq for entry, _ in journal.walk(raw, kinds=[b"end"])] == [3]
    assert [entry.seq for entry, _ in journal.walk(raw, kinds=[b"step"])] == [1, 2, 3]
    lines = raw.splitlines(keepends=True)
    with pytest.raises(JournalError, match="line 2 "):
        list(journal.walk(lines[0] + lines[2], kinds=[b"end"]))


@pytest.fixture
def no_umask() -> Iterator[None]:
    before = os.umask(0)
    yield
    os.umask(before)


@pytest.mark.usefixtures("no_umask")
def test_only_we_can_read_a_journal_whatever_the_umask(journal: Journal) -> None:
    filled(journal, 1)
    assert journal.file.stat().st_mode & 0o777 == 0o600


def test_the_directory_is_synced_once_a_journal_is_new(journal: Journal, monkeypatch: pytest.MonkeyPatch) -> None:
    synced: list[str] = []
    real = os.fsync

    def note(descriptor: int) -> None:
        synced.append(os.readlink(f"/proc/self/fd/{descriptor}"))
        real(descriptor)

    monkeypatch.setattr(os, "fsync", note)
    filled(journal, 2)
    file = str(journal.file)
    assert synced == [file, str(journal.file.parent), file]
