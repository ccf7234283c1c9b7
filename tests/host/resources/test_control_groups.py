"""The files of control groups, on plain directories: what is written, and what is read."""

import os
from pathlib import Path

import pytest

from host.resources.control_groups import (
    Groups,
    Way,
    events,
    limit,
    make_idle,
    members,
    remove,
    remove_stale,
    serving_group,
    write,
)


def group(directory: Path, *files: str) -> Path:
    directory.mkdir(parents=True)
    for name in files:
        (directory / name).touch()
    return directory


def written(directory: Path) -> dict[str, str]:
    return {file.name: file.read_text() for file in directory.iterdir() if file.read_text()}


@pytest.mark.parametrize(
    ("files", "expected"),
    [
        (("cpu.idle", "cpu.weight"), {"cpu.idle": "1"}),
        (("cpu.weight",), {"cpu.weight": "1"}),
        (("cpu.shares",), {"cpu.shares": "2"}),
    ],
)
def test_a_group_is_made_to_yield_as_well_as_the_kernel_can(
    tmp_path: Path, files: tuple[str, ...], expected: dict[str, str]
) -> None:
    make_idle(group(tmp_path / "check", *files))
    assert written(tmp_path / "check") == expected


def test_a_group_that_cannot_yield_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(LookupError, match="check has no processor controller"):
        make_idle(group(tmp_path / "check", "pids.max"))


@pytest.mark.parametrize("swap", [True, False])
def test_limits_of_version_2_hold_memory_too(tmp_path: Path, swap: bool) -> None:
    files = ["cpu.idle", "pids.max", "memory.max", "memory.oom.group", *(["memory.swap.max"] if swap else [])]
    group(tmp_path / "check", *files)
    limit(Groups(Way.GROUPS_V2, tmp_path, tmp_path), "check", 5000, 7)
    expected = {"cpu.idle": "1", "pids.max": "7", "memory.max": "5000", "memory.oom.group": "1"}
    assert written(tmp_path / "check") == expected | ({"memory.swap.max": "0"} if swap else {})


def test_limits_of_version_1_hold_processes_in_their_own_hierarchy(tmp_path: Path) -> None:
    group(tmp_path / "cpu" / "check", "cpu.shares")
    group(tmp_path / "pids" / "check", "pids.max")
    limit(Groups(Way.GROUPS_V1, tmp_path / "cpu", tmp_path / "pids"), "check", 5000, 7)
    assert written(tmp_path / "cpu" / "check") == {"cpu.shares": "2"}
    assert written(tmp_path / "pids" / "check") == {"pids.max": "7"}


@pytest.mark.parametrize(
    ("way", "file", "weight"), [(Way.GROUPS_V2, "cpu.weight", "1000"), (Way.GROUPS_V1, "cpu.shares", "10240")]
)
def test_what_serves_has_the_most_weight(tmp_path: Path, way: Way, file: str, weight: str) -> None:
    serving = group(tmp_path / "slipway-serving", file)
    assert serving_group(Groups(way, tmp_path, tmp_path)) == serving
    assert written(serving) == {file: weight}


def test_a_file_of_the_kernels_is_never_made(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        write(tmp_path / "absent", "1")
    assert not (tmp_path / "absent").exists()


def test_events_and_members_are_read_and_absent_ones_are_none(tmp_path: Path) -> None:
    (tmp_path / "memory.events").write_text("low 0\noom 3\noom_kill 2\n")
    (tmp_path / "cgroup.procs").write_text("12\n345\n")
    assert [events(tmp_path / "memory.events", name) for name in ("oom_kill", "oom", "oom_k")] == [2, 3, 0]
    assert events(tmp_path / "absent", "oom") == 0
    assert members(tmp_path) == [12, 345] and members(tmp_path / "absent") == []


def test_only_groups_of_checks_whose_owner_is_gone_are_removed(tmp_path: Path) -> None:
    gone = 2**22 + 1  # above the highest process id
    names = {f"slipway-check-{gone}-0a": False, f"slipway-check-{os.getpid()}-0a": True}
    names |= {f"slipway-check-{gone}-XY": True, f"other-{gone}-0a": True, f"slipway-check-{gone}-0b": True}
    for name in names:
        group(tmp_path / name)
    (tmp_path / f"slipway-check-{gone}-0b" / "still-used").touch()
    remove_stale(tmp_path)
    assert {name: (tmp_path / name).exists() for name in names} == names


def test_a_group_is_removed_and_one_that_is_gone_needs_nothing(tmp_path: Path) -> None:
    for _ in range(2):
        remove(tmp_path / "check")
    group(tmp_path / "check")
    remove(tmp_path / "check")
    assert not (tmp_path / "check").exists()
