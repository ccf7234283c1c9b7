"""Limits: none is no limit, and what a service lacks is written in the form that it has."""

from decimal import Decimal
from typing import Any

import pytest

from deployments.runtimes.compose.limits import amount, missing, unfit, unlimited


@pytest.mark.parametrize(
    ("given", "bytes_"),
    [
        ("512m", 512 * 2**20),
        ("1.5G", 1.5 * 2**30),
        ("1gb", 2**30),
        ("2GiB", 2 * 2**30),
        ("1073741824", 2**30),
        (" 7b ", 7),
        (".5", Decimal("0.5")),
        (0, 0),
        ("0b", 0),
        ("-1", -1),
        ("0x10", None),
        ("1e9", None),
        ("much", None),
        ("", None),
        ([1], None),
        ("9" * 100, None),
        ("\u0665", None),
    ],
)
def test_amounts_are_read_as_compose_has_them(given: object, bytes_: Any) -> None:
    assert amount(given) == bytes_


@pytest.mark.parametrize(
    ("service", "key"),
    [
        ({"mem_limit": 0}, "mem_limit 0"),
        ({"mem_limit": "0b"}, "mem_limit 0b"),
        ({"mem_limit": "0.0g"}, "mem_limit 0.0g"),
        ({"memswap_limit": -1}, "memswap_limit -1"),
        ({"cpus": "0"}, "cpus 0"),
        ({"cpus": 0.0}, "cpus 0.0"),
        ({"cpu_quota": -1}, "cpu_quota -1"),
        ({"pids_limit": -1}, "pids_limit -1"),
        ({"pids_limit": 0}, "pids_limit 0"),
        ({"deploy": {"resources": {"limits": {"memory": "0"}}}}, "deploy.resources.limits.memory 0"),
        ({"deploy": {"resources": {"limits": {"pids": -1}}}}, "deploy.resources.limits.pids -1"),
    ],
)
def test_a_limit_that_is_none_is_named(service: dict[str, Any], key: str) -> None:
    (said,) = unlimited(service)
    assert said.startswith(f"{key}: no limit is none")


@pytest.mark.parametrize(
    "service",
    [
        {"mem_limit": "1b", "cpus": 0.01, "pids_limit": 1, "mem_swappiness": 0, "oom_score_adj": 0},
        {"deploy": {"resources": {"limits": {"memory": "1m", "cpus": "0.1", "pids": 5}, "reservations": None}}},
        {"mem_limit": "${MEMORY}", "deploy": None},
        {},
    ],
)
def test_limits_are_left_alone(service: dict[str, Any]) -> None:
    assert list(unlimited(service)) == []


def test_what_compose_drops_is_a_zero() -> None:
    service = {"mem_limit": "0", "pids_limit": -1}
    assert [one.partition(" ")[0] for one in unlimited(service, zero_alone=True)] == ["mem_limit"]


@pytest.mark.parametrize(
    ("service", "why"),
    [
        ({"mem_reservation": "1g"}, "mem_reservation 1g: more than its limit, 536870912"),
        ({"mem_limit": "1g", "mem_reservation": "1025m"}, "mem_reservation 1025m: more than its limit, 1073741824"),
        (
            {"deploy": {"resources": {"reservations": {"memory": "1g"}}}},
            "deploy.resources.reservations.memory 1g: more than its limit",
        ),
        ({"memswap_limit": "256m"}, "memswap_limit 256m: less than its memory limit"),
        ({"cpus": 1, "cpu_quota": 5}, "cpus beside cpu_quota"),
        ({"cpu_period": 5, "deploy": {"resources": {"limits": {"cpus": "1"}}}}, "cpus beside cpu_quota"),
    ],
)
def test_what_the_engine_would_refuse_is_told_before(service: dict[str, Any], why: str) -> None:
    (said,) = unfit(service)
    assert said.startswith(why)


@pytest.mark.parametrize(
    "service",
    [
        {"mem_reservation": "512m", "memswap_limit": "512m"},
        {"mem_limit": "2g", "deploy": {"resources": {"reservations": {"memory": "1g"}}}},
        {"deploy": {"resources": {"limits": {"memory": "2g"}, "reservations": {"memory": "1g"}}}},
        {"cpu_quota": 5, "cpu_period": 10},
    ],
)
def test_limits_that_fit_are_accepted(service: dict[str, Any]) -> None:
    assert list(unfit(service)) == []


def test_processor_time_is_limited_in_one_way() -> None:
    """The engine: "Nano CPUs and CPU Quota cannot both be set"."""
    assert missing({"cpu_quota": 50_000}) == {"mem_limit": "512m", "pids_limit": 512}
    assert missing({"cpu_period": 50_000})["cpu_quota"] == 50_000
    limited = missing({"cpu_quota": 5, "deploy": {"resources": {"limits": {"memory": "1g"}}}})
    assert limited == {"deploy": {"resources": {"limits": {"memory": "1g", "pids": 512}}}}
