import json
from pathlib import Path
from typing import Any

import pytest

from gates.checks.load_pairs import Asked
from host.errors import ToolError
from tasks.load import records as load_records
from tasks.load.records import begun, read_requests, read_windows
from tasks.load.schedule import BASE, Schedule

HEADER = {"format": 1, "users": 2, "spawn_rate": 5.0, "run_time": 10, "runner": "LocalRunner"}
ROW = [1005.0, "GET", "/x", 12.5, True]
ENDING = {
    "requests": 2,
    "users": 2,
    "started_at": 1001.0,
    "full_load_at": 1002.0,
    "stopped_at": 1011.0,
    "user_errors": 0,
    "first_user_error": "",
    "first_failure": "",
}


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "requests.jsonl"


def write(file: Path, *lines: Any) -> None:
    file.write_text("".join(json.dumps(line) + "\n" for line in lines))


def read(file: Path) -> load_records.Recorded:
    return read_requests(file, users=2, spawn_rate=5, lasts_s=(10, 10), window=(1000, 1012))


def test_what_was_recorded_is_read(file: Path) -> None:
    write(file, HEADER, ROW, [1005.5, "POST", "/y", 0, False], ENDING)
    requests, ending = read(file)
    assert [tuple(one) for one in requests] == [tuple(ROW), (1005.5, "POST", "/y", 0.0, False)]
    assert ending.users == 2


@pytest.mark.parametrize(
    ("lines", "reason"),
    [
        pytest.param([], "cut short or damaged near line 1", id="empty"),
        pytest.param([HEADER], "cut short or damaged", id="only its beginning"),
        pytest.param([HEADER, ROW, ROW], "cut short or damaged near line 3", id="no end"),
        pytest.param([HEADER, ROW, ENDING], "has 1 requests, and says that they were 2", id="a request is missing"),
        pytest.param([HEADER, ROW, ENDING, ENDING], "cut short or damaged", id="two ends"),
        pytest.param([HEADER, ROW, [1005.0, "GET", "/x"], ENDING], "cut short or damaged", id="half a request"),
        pytest.param([HEADER, ROW, [1005.0, "GET", "/x", -1, True], ENDING], "cut short or damaged", id="negative"),
        pytest.param([HEADER, ROW, [1005.0, "GET", "/x", "9", True], ENDING], "cut short or damaged", id="text"),
        pytest.param([HEADER, ROW, [1005.0, "GET", "x" * 401, 1, True], ENDING], "cut short or damaged", id="long"),
        pytest.param([HEADER, ROW, [1005.0, "GET", "/x", float("nan"), True], ENDING], "damaged", id="no number"),
        pytest.param([HEADER, ROW, [999.0, "GET", "/x", 1, True], ENDING], "outside the time", id="too early"),
        pytest.param([HEADER, ROW, [1005.0, "GET", "/x", 7001, True], ENDING], "outside the time", id="too long"),
        pytest.param([{**HEADER, "users": 1}, ROW, ROW, ENDING], "another load", id="fewer users"),
        pytest.param([{**HEADER, "spawn_rate": 1.0}, ROW, ROW, ENDING], "another load", id="a slower ramp"),
        pytest.param([{**HEADER, "run_time": 1}, ROW, ROW, ENDING], "another load", id="a shorter run"),
        pytest.param([{**HEADER, "runner": "MasterRunner"}, ROW, ROW, ENDING], "damaged", id="distributed"),
        pytest.param([{**HEADER, "format": 2}, ROW, ROW, ENDING], "damaged", id="another format"),
        pytest.param([HEADER, ROW, ROW, {**ENDING, "started_at": 1001.6}], "ended after 9.4 of 10 s", id="short"),
        pytest.param([HEADER, ROW, ROW, {**ENDING, "started_at": 900.0}], "another time", id="before it began"),
        pytest.param([HEADER, ROW, ROW, {**ENDING, "stopped_at": 1013.0}], "another time", id="after it ended"),
    ],
)
def test_what_cannot_be_trusted_is_refused(file: Path, lines: list[Any], reason: str) -> None:
    write(file, *lines)
    with pytest.raises(ToolError, match=reason):
        read(file)


def test_a_load_half_a_second_shorter_is_the_stated_one(file: Path) -> None:
    write(file, HEADER, ROW, ROW, {**ENDING, "started_at": 1001.5})
    assert len(read(file).requests) == 2


def test_binary_is_no_record(file: Path) -> None:
    file.write_bytes(bytes(range(256)) * 100)
    with pytest.raises(ToolError, match="cut short or damaged"):
        read(file)


def test_only_a_file_of_limited_size_is_read(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ToolError, match="is not there: No such file"):
        read(file)
    file.mkdir()
    with pytest.raises(ToolError, match="is not there: not a file"):
        read(file)
    file.rmdir()
    write(file.with_name("other"), HEADER, ROW, ROW, ENDING)
    file.symlink_to(file.with_name("other"))
    with pytest.raises(ToolError, match="is not there"):
        read(file)
    file.unlink()
    write(file, HEADER, ROW, ROW, ENDING)
    size = file.stat().st_size
    monkeypatch.setattr(load_records, "LARGEST_FILE_BYTES", size)
    assert len(read(file).requests) == 2
    monkeypatch.setattr(load_records, "LARGEST_FILE_BYTES", size - 1)
    with pytest.raises(ToolError, match=f"has {size} bytes"):
        read(file)


# The base's windows of pairs 0, 1 and 2 are 1000 to 1001, 1006 to 1007 and 1008 to 1009.
SCHEDULE = Schedule(1000.0, 1.0, 1.0)


def test_what_is_asked_in_windows_is_read_while_locust_still_writes(file: Path) -> None:
    assert not begun(file)
    rows = [[at, "GET", "/x", 250, True] for at in (999.9, 1000.0, 1000.9, 1001.0, 1003.0, 1006.2, 1008.5)]
    write(file, HEADER, *rows)
    with file.open("a") as more:
        more.write('[1008.6, "GET", "/half')
    assert begun(file)
    found = read_windows(file, BASE, SCHEDULE, range(0, 2))
    assert found == [Asked(0, "GET /x", 0.25, True)] * 2 + [Asked(1, "GET /x", 0.25, True)]
    assert [one.window for one in read_windows(file, BASE, SCHEDULE, range(2, 9))] == [2]


def test_an_ending_ends_the_windows_and_garbage_is_refused(file: Path) -> None:
    write(file, HEADER, [1000.5, "GET", "/x", 1, False], ENDING)
    assert read_windows(file, BASE, SCHEDULE, range(1)) == [Asked(0, "GET /x", 0.001, False)]
    write(file, HEADER, [1000.5, "GET"])
    with pytest.raises(ToolError, match="locust's record is damaged"):
        read_windows(file, BASE, SCHEDULE, range(1))
