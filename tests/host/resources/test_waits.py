from pathlib import Path

import pytest

from host.resources.waits import Times, pressure_s, thread_times, threads


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("some avg10=0.00 avg60=0.00 avg300=0.00 total=2500000\nfull avg10=0.00 total=7\n", 2.5),
        ("full avg10=0.00 total=7\n", None),
        ("some avg10=0.00\n", None),
        ("", None),
    ],
)
def test_the_hosts_wait_is_the_total_of_some(tmp_path: Path, text: str, seconds: float | None) -> None:
    (tmp_path / "pressure").mkdir()
    (tmp_path / "pressure" / "cpu").write_text(text)
    assert pressure_s(tmp_path) == seconds


def test_a_kernel_that_does_not_tell_is_no_figure(tmp_path: Path) -> None:
    assert pressure_s(tmp_path) is None
    assert threads(7, tmp_path) == []
    assert thread_times("7/task/7", tmp_path) is None


@pytest.mark.parametrize(
    ("text", "times"),
    [("1500000000 250000000 42\n", Times(1.5, 0.25)), ("1 2\n", None), ("1 2 3 4\n", None), ("a b c\n", None)],
)
def test_what_a_thread_has_had_is_told_in_seconds(tmp_path: Path, text: str, times: Times | None) -> None:
    thread = tmp_path / "7" / "task" / "8"
    thread.mkdir(parents=True)
    (thread / "schedstat").write_text(text)
    assert threads(7, tmp_path) == ["7/task/8"]
    assert thread_times("7/task/8", tmp_path) == times
