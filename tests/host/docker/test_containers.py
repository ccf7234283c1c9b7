"""What the engine's `stats` says, of both kinds of control groups."""

from typing import Any

import pytest

from host.docker.containers import read_usage

CPU = {"cpu_usage": {"total_usage": 2_500_000_000}, "online_cpus": 4}


@pytest.mark.parametrize(
    ("memory", "given", "expected"),
    [
        ({"usage": 90, "limit": 100, "stats": {"total_inactive_file": 30}}, {"NanoCpus": 500_000_000}, (60, 100, 0.5)),
        ({"usage": 90, "limit": 100, "stats": {"inactive_file": 20}}, {"CpuQuota": 150_000}, (70, 100, 1.5)),
        ({"usage": 90, "limit": 100}, {"CpuQuota": 50_000, "CpuPeriod": 200_000}, (90, 100, 0.25)),
        ({"usage": 90, "limit": 100, "stats": {}}, {}, (90, 100, 4.0)),
        ({}, {}, (0, 0, 4.0)),
    ],
)
def test_cache_does_not_count_and_limits_are_the_containers(
    memory: dict[str, Any], given: dict[str, Any], expected: tuple[float, ...]
) -> None:
    usage = read_usage("web", {"memory_stats": memory, "cpu_stats": CPU}, given, 7.0)
    assert (usage.memory_bytes, usage.memory_limit_bytes, usage.cpus) == expected
    assert (usage.cpu_s, usage.at) == (2.5, 7.0)
